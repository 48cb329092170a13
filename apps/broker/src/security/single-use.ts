import { replayRefused, type IdentityUses } from '@mayfly/identity';
import type { IdentityUse, Requester } from '@mayfly/issuance';
import type { RefusalRecorder } from './refusal.recorder.js';

/** Step 8: a token of a single-use issuer opens one task. The same token may still read, renew and end that task. */
export class SingleUse implements IdentityUse {
  constructor(
    private readonly store: Pick<IdentityUses, 'consume' | 'giveBack'>,
    private readonly refusals: Pick<RefusalRecorder, 'identity'>,
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
