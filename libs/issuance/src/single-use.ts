import { type IdentityUses, replayRefused } from '@mayfly/identity';
import type { Problem } from '@mayfly/kernel';
import type { IdentityUse } from './identity-use.js';
import type { Requester } from './request.js';

/** Port: audits a refused identity, under the route and the id of its request. */
export interface IdentityRefusals {
  /** Audits the refusal that `problem` states. Throws `unavailable` when the audit cannot be written. */
  identity(problem: Problem, call: { readonly route: string; readonly requestId: string }): Promise<void>;
}

/** Step 8: a token of a single-use issuer opens one task. The same token may still read, renew and end that task. */
export class SingleUse implements IdentityUse {
  constructor(
    private readonly store: Pick<IdentityUses, 'consume' | 'giveBack'>,
    private readonly refusals: IdentityRefusals,
  ) {}

  async consume({ singleUse, requestId = '' }: Requester): Promise<void> {
    if (singleUse?.jti === undefined) return;
    if (await this.store.consume(singleUse.issuerUrl, singleUse.jti, singleUse.expiresAt)) return;
    const problem = replayRefused(singleUse);
    await this.refusals.identity(problem, { route: 'POST /tasks', requestId });
    throw problem;
  }

  async giveBack({ singleUse }: Requester): Promise<void> {
    if (singleUse?.jti !== undefined) await this.store.giveBack(singleUse.issuerUrl, singleUse.jti);
  }
}
