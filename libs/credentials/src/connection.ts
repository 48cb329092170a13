import { NameSchema } from '@mayfly/kernel';
import { z } from 'zod';

/** `Connection.spec`: a configured target. Secrets are references (`env:NAME`, `file:PATH`) at the provider's `secretMembers`. */
export const ConnectionSpecSchema = z.strictObject({
  provider: z.string().min(1).max(63),
  owner: NameSchema,
  config: z.record(z.string(), z.json()),
  /** how many calls to mint or renew may be under way at once, of one process; 32 unless given */
  maxConcurrentCalls: z.int().min(1).max(256).optional(),
});
export type ConnectionSpec = z.infer<typeof ConnectionSpecSchema>;

export interface Connection {
  readonly name: string;
  readonly spec: ConnectionSpec;
  /** nothing new is minted through it; revocations go on */
  readonly disabled?: boolean;
}
