import { NameSchema } from '@mayfly/kernel';
import { z } from 'zod';
import { RoutesSchema } from './connection-routes.js';

/**
 * `Connection.spec`: a configured target. At `secretMembers` of the provider, secrets are references (`env:NAME`,
 * `file:PATH`).
 */
export const ConnectionSpecSchema = z.strictObject({
  provider: z.string().min(1).max(63),
  owner: NameSchema,
  config: z.record(z.string(), z.json()),
  /** the workloads that may ask whether a credential of the connection may be used, as a gateway before the target does */
  gateways: z
    .array(z.strictObject({ issuer: NameSchema, subject: z.string().min(1).max(255) }))
    .max(64)
    .optional(),
  /** for gateways that ask about HTTP requests; the first one that matches counts */
  routes: RoutesSchema.optional(),
  /** the number of mint and renewal calls that one process makes at once; default 32 */
  maxConcurrentCalls: z.int().min(1).max(256).optional(),
});
export type ConnectionSpec = z.infer<typeof ConnectionSpecSchema>;

/** A declared connection by its name. */
export interface Connection {
  readonly name: string;
  readonly spec: ConnectionSpec;
  /** a disabled connection mints nothing new; revocations continue */
  readonly disabled?: boolean;
}
