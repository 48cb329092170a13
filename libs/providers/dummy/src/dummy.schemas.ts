import { z } from 'zod';

/** The dummy target needs no configuration. */
export const DummyConfigSchema = z.strictObject({});
export type DummyConfig = z.infer<typeof DummyConfigSchema>;

export const DummyScopeSchema = z.strictObject({
  permissions: z.array(z.string().min(1).max(200)).min(1).max(64),
});
export type DummyScope = z.infer<typeof DummyScopeSchema>;

export const DummyHandleSchema = z.strictObject({ id: z.string().regex(/^dummy_[0-9a-z]{26}$/) });
export type DummyHandle = z.infer<typeof DummyHandleSchema>;
