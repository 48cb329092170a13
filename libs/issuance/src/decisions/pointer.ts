import { type Json, type JsonObject, Problem } from '@mayfly/kernel';

/** The most pointers that a problem names. */
const MAX_NAMED = 20;

/** Returns a copy in which the value at a JSON Pointer (RFC 6901) is replaced. Throws `invalid_request` when there is none. */
export function replacedAt(document: Json, pointer: string, value: Json): Json {
  if (pointer === '') return value;
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer))
    throw new Problem('invalid_request', `\`${pointer}\` is no JSON Pointer; use one such as \`/agent/state\``);
  const steps = pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return replaced(document, steps, value, '');
}

function replaced(document: Json, [step, ...rest]: readonly string[], value: Json, at: string): Json {
  if (step === undefined) return value;
  if (!hasMember(document, step)) throw unknownPointer(document, at, step);
  const below = `${at}/${escaped(step)}`;
  if (Array.isArray(document)) {
    const index = Number(step);
    return document.map((item: Json, place) => (place === index ? replaced(item, rest, value, below) : item));
  }
  const members = document as JsonObject;
  return { ...members, [step]: replaced(members[step] ?? null, rest, value, below) };
}

function hasMember(document: Json, step: string): boolean {
  if (Array.isArray(document)) return /^(0|[1-9]\d*)$/.test(step) && Number(step) < document.length;
  return document !== null && typeof document === 'object' && Object.hasOwn(document, step);
}

function unknownPointer(document: Json, at: string, step: string): Problem {
  const names = document !== null && typeof document === 'object' ? Object.keys(document).sort() : [];
  const known = names.slice(0, MAX_NAMED).map((name) => `\`${at}/${escaped(name)}\``);
  const others = names.length > MAX_NAMED ? ', …' : '';
  const cure = known.length === 0 ? 'use a shorter pointer' : `use one of ${known.join(', ')}${others}`;
  return new Problem('invalid_request', `there is no \`${at}/${escaped(step)}\` in the inputs; ${cure}`, {
    errors: [{ pointer: '/set/pointer', detail: cure }],
  });
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
