import { NameSchema } from '@mayfly/kernel';
import { z } from 'zod';

/** `Connection.spec`: a configured target. Secrets are references (`env:NAME`, `file:PATH`) at the provider's `secretMembers`. */
export const ConnectionSpecSchema = z.strictObject({
  provider: z.string().min(1).max(63),
  owner: NameSchema,
  config: z.record(z.string(), z.json()),
});
export type ConnectionSpec = z.infer<typeof ConnectionSpecSchema>;

export interface Connection {
  readonly name: string;
  readonly spec: ConnectionSpec;
}
