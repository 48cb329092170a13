import { parseStrictJson, Problem, type Json, type JsonFault } from '@mayfly/kernel';

const MAX_DEPTH = 16;
const RESERVED_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor']);

const FAULTS: Readonly<Record<JsonFault, string>> = {
  not_json: 'the body is not valid JSON; correct it',
  too_deep: `the body nests deeper than ${String(MAX_DEPTH)} levels; nest it less`,
  duplicate_member: 'an object has one field twice; keep one',
};

/**
 * Parses a JSON body as `parseStrictJson` does, to a depth of at most 16. No field may be called `__proto__` or
 * `constructor`, and no text may hold NUL or half a surrogate pair. Throws `invalid_request`.
 */
export function parseJsonBody(text: string): Json {
  const refuse = (fault: JsonFault): Problem => new Problem('invalid_request', FAULTS[fault]);
  const value = parseStrictJson(text, { maxDepth: MAX_DEPTH, refuse });
  if (!text.isWellFormed() || (text.includes('\\u') && !isStorable(value))) {
    throw new Problem('invalid_request', 'a text has NUL or a lone surrogate; leave it out');
  }
  refuseReservedNames(value);
  return value;
}

/** True when every text and name is well-formed Unicode without NUL. The database and the log take nothing else. */
function isStorable(value: Json): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, member]) => isStorable(key) && isStorable(member as Json));
}

function refuseReservedNames(value: Json): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    if (RESERVED_NAMES.has(key))
      throw new Problem('invalid_request', `\`${key}\` is a reserved field name; use another`);
    refuseReservedNames(member as Json);
  }
}
