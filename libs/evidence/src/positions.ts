import { isId } from '@mayfly/kernel';
import { z } from 'zod';

/** Cursor positions of the lists. */
export const IssuancePositionSchema = z.strictObject({
  createdAt: z.iso.datetime({ precision: 6 }),
  leaseId: z.string().refine((text) => isId('lse', text)),
});
export const OverduePositionSchema = z.strictObject({
  since: z.iso.datetime({ precision: 6 }),
  leaseId: z.string().refine((text) => isId('lse', text)),
});
export const StoryPositionSchema = z.strictObject({
  batch: z.string().regex(/^\d{1,18}$/),
  place: z.int().min(0).max(2_147_483_647),
});
export const RefusalPositionSchema = z.strictObject({
  at: z.iso.datetime({ precision: 6 }),
  id: z.string().refine((text) => isId('aud', text)),
});
export const SequenceSchema = z.int().min(0);
