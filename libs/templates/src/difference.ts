import { canonicalJson, type Json } from '@mayfly/kernel';
import { below } from './json-pointer.js';
import { isObject } from './tree-bounds.js';

/**
 * One difference between two documents, by JSON Pointer. Without `before` the value was added; without `after` it was
 * removed.
 */
export interface Difference {
  readonly pointer: string;
  readonly before?: Json;
  readonly after?: Json;
}

/**
 * Returns the differences of two specs, each with the deepest pointer possible. Compares objects by sorted key and
 * lists by index, so the same pair always gives the same list.
 */
export function diffSpecs(before: Json, after: Json): Difference[] {
  return compare(before, after, '');
}

function compare(before: Json | undefined, after: Json | undefined, pointer: string): Difference[] {
  if (before === undefined || after === undefined) return oneSided(before, after, pointer);
  const isList = Array.isArray(before);
  const [left, right] = [members(before), members(after)];
  if (left === undefined || right === undefined || isList !== Array.isArray(after)) {
    return canonicalJson(before) === canonicalJson(after) ? [] : [{ pointer, before, after }];
  }
  const keys = [...new Set([...left.keys(), ...right.keys()])];
  const ordered = isList ? keys : keys.sort();
  return ordered.flatMap((key) => compare(left.get(key), right.get(key), below(pointer, key)));
}

function oneSided(before: Json | undefined, after: Json | undefined, pointer: string): Difference[] {
  if (before !== undefined) return [{ pointer, before }];
  return after === undefined ? [] : [{ pointer, after }];
}

function members(value: Json): ReadonlyMap<string, Json | undefined> | undefined {
  return Array.isArray(value) || isObject(value) ? new Map(Object.entries(value)) : undefined;
}
