import type { Failpoint } from '@mayfly/tasks';
import fc from 'fast-check';
import { everyKill, type Kill, type Sent } from './crash-kills.js';

/** The state of the task of a request that was not answered; `any` when the failpoint does not stop the request. */
type Left = 'nothing' | 'failed' | 'active' | 'completed' | 'revoked' | 'any';

/** The state of every lease of a task; a task that is not there has none. */
export const LEASES = { active: 'active', failed: 'revoked', completed: 'revoked', revoked: 'revoked' } as const;

/** The state that each action on an existing task leaves. */
const LEFT_BY_ACTION: Partial<Record<Sent['kind'], Left>> = {
  ...{ renew: 'active', complete: 'completed', lockdown: 'revoked', delegate: 'any' },
};

/** Steps that only some of the requests pass. */
const PASSES: Partial<Record<Failpoint, (sent: Sent) => boolean>> = {
  activate: ({ provider }) => provider !== 'signed-token',
  handle: ({ provider }) => provider === 'vault',
  'record-handle': ({ provider }) => provider === 'vault',
  accept: ({ kind }) => kind === 'accept',
};

const AFTER_ACTIVATION: readonly Failpoint[] = ['activate', 'answer', 'settle'];
const AFTER_INTENT: readonly Failpoint[] = ['open', 'mint', 'check', 'handle', 'record-handle'];

/** Returns what docs/issuance.md says about the task of a request that was not answered. */
export function leftBy({ step }: Kill, sent: Sent): Left {
  const byAction = LEFT_BY_ACTION[sent.kind];
  if (byAction !== undefined) return byAction;
  if (PASSES[step]?.(sent) === false) return 'any';
  if (AFTER_ACTIVATION.includes(step)) return 'active';
  if (!AFTER_INTENT.includes(step)) return 'nothing';
  if (sent.provider !== 'signed-token') return 'failed';
  // The intent of a local plan is committed with its activation, after the mint and the check.
  return step === 'open' ? 'active' : 'nothing';
}

/** The kills of a round, in any order, at any arrival, with any pauses before the requests. */
export function randomKills(round: string): fc.Arbitrary<readonly Kill[]> {
  const kills = everyKill(round);
  const delays = fc.array(fc.nat({ max: 60 }), { minLength: 8, maxLength: 8 });
  const changes = fc.tuple(
    ...kills.map(({ count }) => fc.record({ count: fc.integer({ min: 1, max: count }), delays })),
  );
  return changes.chain((changed) =>
    fc.shuffledSubarray(
      kills.map((kill, place) => ({ ...kill, ...changed[place] })),
      { minLength: kills.length },
    ),
  );
}
