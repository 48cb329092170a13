import { below } from '@mayfly/templates';

/** Keys and list places from the root of a document down to one of its values. */
export type DocumentPath = readonly (string | number)[];

/** The path as a JSON Pointer (RFC 6901). */
export function pointerOf(path: DocumentPath): string {
  return path.reduce<string>((pointer, step) => below(pointer, step), '');
}

/** The path as people write it: `spec.credentials[0].scope`. Keys that are no plain words are quoted, long ones cut. */
export function dottedPath(path: DocumentPath): string {
  return path.map(writeStep).join('').replace(/^\./, '');
}

/** A JSON Pointer as a path; digits become list places. */
export function pathOf(pointer: string): DocumentPath {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')));
}

function writeStep(step: string | number): string {
  if (typeof step === 'number') return `[${String(step)}]`;
  return /^[$\w-]{1,64}$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 64))}]`;
}
