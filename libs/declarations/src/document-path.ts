import { below } from '@mayfly/templates';

/** Keys and list indexes from the root of a document to one of its values. */
export type DocumentPath = readonly (string | number)[];

/** Returns the path as a JSON Pointer (RFC 6901). */
export function pointerOf(path: DocumentPath): string {
  return path.reduce<string>((pointer, step) => below(pointer, step), '');
}

/**
 * Returns the path for people: `spec.credentials[0].scope`. Quotes keys that are not plain words, and cuts long ones.
 */
export function dottedPath(path: DocumentPath): string {
  return path.map(writeStep).join('').replace(/^\./, '');
}

/** Returns a JSON Pointer as a path; digits become list indexes. */
export function pathOf(pointer: string): DocumentPath {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')));
}

function writeStep(step: string | number): string {
  if (typeof step === 'number') return `[${String(step)}]`;
  return /^[$\w-]{1,64}$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 64))}]`;
}
