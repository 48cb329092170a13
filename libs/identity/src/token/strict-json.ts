import type { JsonObject } from '@mayfly/kernel';
import { identityRefused } from '../identity-refusal.js';

const MAX_DEPTH = 16;
/** Strings, brackets and commas are enough to find member names in valid JSON. */
const MARKS = /"(?:[^"\\]+|\\.)*"|[{}[\],]/g;

/**
 * Parses a JSON object and refuses a duplicate member, which `JSON.parse` would hide, even when one of the names has
 * escapes (RFC 7515 §4, RFC 7519 §4). Throws `unauthenticated` with `malformed` or `duplicate_claim`.
 */
export function parseStrictJson(text: string): JsonObject {
  const value = parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw identityRefused('malformed');
  refuseDuplicateMembers(text);
  return value as JsonObject;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw identityRefused('malformed');
  }
}

/** `names` is undefined inside an array. */
interface Container {
  readonly names: Set<string> | undefined;
  expectsName: boolean;
}

function refuseDuplicateMembers(validJson: string): void {
  const open: Container[] = [];
  for (const [mark] of validJson.matchAll(MARKS)) {
    const container = open.at(-1);
    if (mark === '{') open.push({ names: new Set(), expectsName: true });
    else if (mark === '[') open.push({ names: undefined, expectsName: false });
    else if (mark === '}' || mark === ']') open.pop();
    else if (container !== undefined) readMark(container, mark);
    if (open.length > MAX_DEPTH) throw identityRefused('malformed');
  }
}

function readMark(container: Container, mark: string): void {
  if (container.names === undefined) return;
  if (mark === ',') {
    container.expectsName = true;
  } else if (container.expectsName) {
    const name = JSON.parse(mark) as string;
    if (container.names.has(name)) throw identityRefused('duplicate_claim');
    container.names.add(name);
    container.expectsName = false;
  }
}
