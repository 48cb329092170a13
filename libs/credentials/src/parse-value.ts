import type { ZodSafeParseResult, ZodType } from 'zod';

const results = new WeakMap<ZodType, WeakMap<object, ZodSafeParseResult<unknown>>>();

/**
 * Returns the result of `schema.safeParse(value)`. Parses an object once for each schema: the steps of a request ask
 * about the same scope and configuration several times. The object must not change afterwards.
 */
export function parseValue<Parsed>(schema: ZodType<Parsed>, value: unknown): ZodSafeParseResult<Parsed> {
  if (typeof value !== 'object' || value === null) return schema.safeParse(value);
  const known = results.get(schema) ?? new WeakMap<object, ZodSafeParseResult<unknown>>();
  results.set(schema, known);
  const result = (known.get(value) as ZodSafeParseResult<Parsed> | undefined) ?? schema.safeParse(value);
  known.set(value, result);
  return result;
}
