import { z } from 'zod';
import type { DocumentPath } from './document-path.js';

const FARTHEST = 2;

/** The key that `key` was probably meant to be, among those that `schema` knows at `path`; undefined when none is near. */
export function suggestKey(schema: z.core.$ZodType, path: DocumentPath, key: string): string | undefined {
  const ranked = knownKeys(schema, path)
    .map((known) => ({ known, distance: distanceBetween(key.slice(0, 64), known) }))
    .filter(({ known, distance }) => distance <= FARTHEST && distance < known.length)
    .sort((left, right) => left.distance - right.distance);
  return ranked[0]?.known;
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

/** Levenshtein distance: how many letters to change, add or leave out. */
function distanceBetween(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [at, letter] of left.split('').entries()) {
    const next = [at + 1];
    for (const [index, other] of right.split('').entries()) {
      const change = (row[index] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
