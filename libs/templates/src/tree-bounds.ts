import type { FieldError, Json } from '@mayfly/kernel';
import { below } from './json-pointer.js';

/** The bounds of a tree that a caller sends. */
export interface TreeBounds {
  /** levels of objects and lists; the root is the first */
  readonly maxDepth: number;
  /** all values, including the root */
  readonly maxNodes: number;
}

/** Keys with a meaning in JavaScript's object model, forbidden at any depth of a document. */
const RESERVED_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Returns the first fault that keeps `value` from being a plain JSON tree within `bounds`, or undefined. Refuses
 * reserved keys, objects with their own prototype, and values that JSON or PostgreSQL cannot store. Never recurses
 * deeper than `maxDepth`.
 */
export function findUnsafe(value: unknown, bounds: TreeBounds): FieldError | undefined {
  return new TreeWalk(bounds).visit(value, '', 0);
}

/** True when the value is a JSON object (neither null nor a list). */
export function isObject(value: Json | undefined): value is Readonly<Record<string, Json | undefined>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

class TreeWalk {
  private nodes = 0;

  constructor(private readonly bounds: TreeBounds) {}

  visit(value: unknown, pointer: string, depth: number): FieldError | undefined {
    this.nodes += 1;
    if (this.nodes > this.bounds.maxNodes) {
      return { pointer, detail: `too many values; use at most ${String(this.bounds.maxNodes)}` };
    }
    if (typeof value === 'object' && value !== null) return this.visitInside(value, pointer, depth + 1);
    if (typeof value === 'string' && !isStorable(value))
      return { pointer, detail: 'leave out NUL and lone surrogates' };
    const plain = value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
    return plain ? undefined : { pointer, detail: 'not a JSON value; use one' };
  }

  private visitInside(value: object, pointer: string, depth: number): FieldError | undefined {
    if (depth > this.bounds.maxDepth) {
      return { pointer, detail: `nested too deeply; use at most ${String(this.bounds.maxDepth)} levels` };
    }
    if (!isPlain(value)) return { pointer, detail: 'not a JSON value; use one' };
    for (const [key, member] of Object.entries(value)) {
      if (!isStorable(key)) return { pointer, detail: 'leave out NUL and lone surrogates' };
      if (RESERVED_KEYS.has(key))
        return { pointer: below(pointer, key), detail: `\`${key}\` is a reserved key; use another` };
      const unsafe = this.visit(member, below(pointer, key), depth);
      if (unsafe !== undefined) return unsafe;
    }
    return undefined;
  }
}

/** PostgreSQL stores no text with NUL, and no text that UTF-8 cannot encode. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && !/\p{Cs}/u.test(text);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === null || prototype === Object.prototype;
}
