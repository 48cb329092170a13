import type { Json } from './json.js';

export type JsonFault = 'not_json' | 'too_deep' | 'duplicate_member';

/** The rules of one reader of strict JSON. */
export interface StrictJsonRules {
  /** the greatest number of objects and arrays within each other */
  readonly maxDepth: number;
  /** Returns the error to throw for a fault. */
  readonly refuse: (fault: JsonFault) => Error;
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * Parses JSON (RFC 8259) that every parser reads alike: each object names a member once, also when one of the names has
 * escapes. `JSON.parse` alone hides a duplicate. Takes time linear in the length of the text. Throws what `refuse`
 * returns.
 */
export function parseStrictJson(text: string, { maxDepth, refuse }: StrictJsonRules): Json {
  const value = parse(text, refuse);
  // A duplicate member occurs twice in the text and once in the parsed value.
  const members = countMembers(value, maxDepth);
  if (members === undefined) throw refuse('too_deep');
  if (members !== countMembersInText(text)) throw refuse('duplicate_member');
  return value;
}

function parse(text: string, refuse: StrictJsonRules['refuse']): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw refuse('not_json');
  }
}

/** Returns the number of members of all objects in `value`; undefined when it nests deeper than `depthLeft`. */
function countMembers(value: Json, depthLeft: number): number | undefined {
  if (typeof value !== 'object' || value === null) return 0;
  if (depthLeft === 0) return undefined;
  const values: readonly Json[] = Object.values(value as Readonly<Record<string, Json>>);
  let count = Array.isArray(value) ? 0 : values.length;
  for (const one of values) {
    const below = countMembers(one, depthLeft - 1);
    if (below === undefined) return undefined;
    count += below;
  }
  return count;
}

/** Returns the number of members in a valid JSON text: each member has one colon outside a string. */
function countMembersInText(text: string): number {
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
