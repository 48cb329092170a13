import { COMPONENTS } from './answer-shapes.js';
import type { Shape } from './shape.js';

type Path = readonly string[];

/**
 * Returns the path of the first member that does not match a shape; undefined when all match. It ignores members and
 * enum values that a later broker adds. The result holds no part of the value, which may be a secret. Pure.
 */
export function misfit(value: unknown, shape: Shape, path: Path = []): Path | undefined {
  const { ref, anyOf } = shape;
  if (ref !== undefined) return misfit(value, COMPONENTS[ref] ?? {}, path);
  if (anyOf !== undefined) return misfitOfAll(value, anyOf, path);
  if (!isOfType(value, shape)) return path;
  if (Array.isArray(value)) return firstMisfit(value.entries(), () => shape.items, path);
  return isObject(value) ? misfitInObject(value, shape, path) : undefined;
}

function misfitInObject(value: Readonly<Record<string, unknown>>, shape: Shape, path: Path): Path | undefined {
  const { required = [], members = {}, values } = shape;
  const missing = required.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return [...path, missing];
  return firstMisfit(Object.entries(value), (name) => (Object.hasOwn(members, name) ? members[name] : values), path);
}

function firstMisfit<Key extends string | number>(
  entries: Iterable<readonly [Key, unknown]>,
  shapeOf: (key: Key) => Shape | undefined,
  path: Path,
): Path | undefined {
  for (const [key, value] of entries) {
    const shape = shapeOf(key);
    const found = shape === undefined ? undefined : misfit(value, shape, [...path, String(key)]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Returns undefined when one shape matches, otherwise the longest path: that shape came closest. */
function misfitOfAll(value: unknown, shapes: readonly Shape[], path: Path): Path | undefined {
  const found = shapes.map((shape) => misfit(value, shape, path));
  if (found.includes(undefined)) return undefined;
  return found.reduce((furthest, one) => ((one?.length ?? 0) > (furthest?.length ?? 0) ? one : furthest), path);
}

function isOfType(value: unknown, { types, isInstant }: Shape): boolean {
  if (types !== undefined && !types.includes(typeOf(value, types))) return false;
  return isInstant !== true || typeof value !== 'string' || !Number.isNaN(Date.parse(value));
}

function typeOf(value: unknown, wanted: readonly string[]): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value) && wanted.includes('integer')) return 'integer';
  return typeof value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
