import { validationProblem } from '@mayfly/http';
import type { ZodType } from 'zod';

/** Returns the parsed value. Throws `invalid_request` with a pointer to each fault. */
export function parseInput<Parsed>(schema: ZodType<Parsed>, value: unknown): Parsed {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw validationProblem(parsed.error.issues);
}
