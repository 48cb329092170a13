import type { z } from 'zod';
import type { Json, JsonObject } from './json.js';
import { Problem } from './problem.js';

/** Decodes a cursor into its position; undefined without one. Throws `invalid_request` for a cursor of another list. */
export function positionOf<Position>(cursor: string | undefined, schema: z.ZodType<Position>): Position | undefined {
  if (cursor === undefined) return undefined;
  const read = schema.safeParse(readCursor(cursor));
  if (!read.success)
    throw new Problem(
      'invalid_request',
      '`cursor` is not of this list; use a `nextCursor` of it, under the same filters',
    );
  return read.data;
}

/** Returns a list's answer. `next` is the position after which the next page starts. */
export function pageView(items: readonly JsonObject[], next: Json | undefined): JsonObject {
  const nextCursor = next === undefined ? null : Buffer.from(JSON.stringify(next)).toString('base64url');
  return { items, nextCursor };
}

function readCursor(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
