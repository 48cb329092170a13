import { z } from 'zod';

/** The name of a declared thing: a DNS label, at most 63 characters. */
export const NameSchema = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'use 1 to 63 lower-case letters, digits and hyphens');

/** Labels of a declared thing: at most 32, both sides DNS labels. */
export const LabelsSchema = z
  .record(NameSchema, NameSchema)
  .refine((labels) => Object.keys(labels).length <= 32, 'use at most 32 labels');
export type Labels = z.infer<typeof LabelsSchema>;
