import { Problem, type Json } from '@mayfly/kernel';

const MAX_DEPTH = 16;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor']);

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * Parses JSON (RFC 8259) that every parser reads alike: each object names a field once, no field is called `__proto__`
 * or `constructor`, no text holds NUL or half a surrogate pair, and the depth is at most 16. Throws `invalid_request`.
 * Takes time linear in the length of the text.
 */
export function parseStrictJson(text: string): Json {
  const value = parse(text);
  if (!text.isWellFormed() || (text.includes('\\u') && !isStorable(value))) {
    throw new Problem('invalid_request', 'a text has NUL or a lone surrogate; leave it out');
  }
  // A duplicate field occurs twice in the text and once in the parsed value.
  if (countFields(value, 1) !== countFieldsInText(text)) {
    throw new Problem('invalid_request', 'an object has one field twice; keep one');
  }
  return value;
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new Problem('invalid_request', 'the body is not valid JSON; correct it');
  }
}

/** True when every text and name is well-formed Unicode without NUL. The database and the log take nothing else. */
function isStorable(value: Json): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, member]) => isStorable(key) && isStorable(member as Json));
}

/** Returns the number of fields of all objects in `value`. Throws at a forbidden name and below the greatest depth. */
function countFields(value: Json, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > MAX_DEPTH) throw new Problem('invalid_request', `nest the body at most ${String(MAX_DEPTH)} deep`);
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) count += countFields(item, depth + 1);
    return count;
  }
  for (const [key, member] of Object.entries(value)) {
    if (FORBIDDEN_KEYS.has(key))
      throw new Problem('invalid_request', `\`${key}\` is a reserved field name; use another`);
    count += 1 + countFields(member as Json, depth + 1);
  }
  return count;
}

/** Returns the number of fields in a valid JSON text: each field has one colon outside a string. */
function countFieldsInText(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === COLON) count++;
    else if (unit === QUOTE) at = endOfString(text, at + 1);
  }
  return count;
}

function endOfString(text: string, from: number): number {
  let at = from;
  for (let unit = text.charCodeAt(at); unit !== QUOTE; unit = text.charCodeAt(at)) at += unit === BACKSLASH ? 2 : 1;
  return at;
}
