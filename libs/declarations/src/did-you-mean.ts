import { nearest } from '@mayfly/kernel';
import { z } from 'zod';
import type { DocumentPath } from './document-path.js';

/** Returns the known key of `schema` at `path` that is nearest to a mistyped `key`; undefined when none is near. */
export function suggestKey(schema: z.core.$ZodType, path: DocumentPath, key: string): string | undefined {
  return nearest(key, knownKeys(schema, path));
}

function knownKeys(schema: z.core.$ZodType | undefined, path: DocumentPath): string[] {
  const here = bare(schema);
  const [step, ...rest] = path;
  if (step === undefined) return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
  if (here instanceof z.ZodObject) return knownKeys((here.shape as z.core.$ZodShape)[step], rest);
  if (here instanceof z.ZodArray) return knownKeys(here.element, rest);
  if (here instanceof z.ZodRecord) return knownKeys(here.valueType, rest);
  return [];
}

function bare(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? bare(schema.unwrap()) : schema;
}
