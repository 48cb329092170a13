import type { MintOrder } from '@mayfly/credentials';
import { addSeconds, newId } from '@mayfly/kernel';

/** Makes the order of a new lease of the support agent: ten minutes of lifetime, half a minute for the mint. */
export function mintOrder<Config, Scope>(
  config: Config,
  scope: Scope,
  issuedAt: Date,
  overrides: Partial<MintOrder<Config, Scope>> = {},
): MintOrder<Config, Scope> {
  return {
    leaseId: newId('lse'),
    taskId: newId('tsk'),
    agent: { id: newId('agt'), name: 'support-agent' },
    template: { name: 'support-read-cases', version: 1 },
    config,
    scope,
    issuedAt,
    expiresAt: addSeconds(issuedAt, 600),
    mintBy: addSeconds(issuedAt, 30),
    ...overrides,
  };
}
