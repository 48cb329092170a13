import { actorOf } from '@mayfly/audit';
import type { Principal } from '@mayfly/identity';
import { type JsonObject, type LeaseId, Problem } from '@mayfly/kernel';
import type { AbandonResult, ClosingStore } from './closing.store.js';

/** The parts that abandonment works with. */
export interface AbandonmentParts {
  readonly store: Pick<ClosingStore, 'abandon'>;
  /** replaces what looks like a secret */
  readonly redact: (text: string) => string;
}

/**
 * Gives up on leases whose revocation cannot be proven, for operators. INVARIANT: I4, such a lease is `abandoned` and
 * never `revoked`: its credential may work until it expires.
 */
export class LeaseAbandonment {
  constructor(private readonly parts: AbandonmentParts) {}

  /**
   * Abandons a lease and returns it. Throws `not_found`, and `conflict` when its state does not allow it. Of two
   * requests for one lease, and of a request and a proof, the first commit wins.
   */
  async abandon(caller: Principal, leaseId: LeaseId, reason: string): Promise<JsonObject> {
    const told = this.parts.redact(reason);
    const result = await this.parts.store.abandon({ leaseId, reason: told, actor: actorOf(caller) });
    if (result === undefined) throw new Problem('not_found', `there is no lease \`${leaseId}\``);
    const { found, abandonedAt } = result;
    if (abandonedAt === undefined) throw refusal(leaseId, found);
    const { taskId, expiresAt } = found;
    return {
      ...{ leaseId, taskId, state: 'abandoned', reason: told },
      ...{ abandonedAt: abandonedAt.toISOString(), expiresAt: expiresAt.toISOString() },
    };
  }
}

/** Returns the problem that says why a lease cannot be abandoned now, and what to do. */
function refusal(leaseId: LeaseId, { state, taskId }: AbandonResult['found']): Problem {
  switch (state) {
    case 'abandoned':
      return new Problem('conflict', `lease \`${leaseId}\` is \`abandoned\` already`, {
        ...{ help: 'read who abandoned it, and why, in the timeline of its task', taskId },
      });
    case 'revoking':
      return new Problem('conflict', `lease \`${leaseId}\` is \`revoking\`, and no try to revoke it has failed`, {
        ...{ help: 'wait until a try fails or the deadline of the lease passes', taskId },
      });
    case 'minting':
    case 'active':
      return new Problem(
        'conflict',
        `lease \`${leaseId}\` is \`${state}\`, and only a revoking lease can be abandoned`,
        {
          ...{ help: 'revoke its task first, with `DELETE /tasks/:id`', taskId },
        },
      );
    default:
      return new Problem('conflict', `lease \`${leaseId}\` is \`${state}\`, which is final`, {
        ...{ help: 'do nothing: the credential is dead', taskId },
      });
  }
}
