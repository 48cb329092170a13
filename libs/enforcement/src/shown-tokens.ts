import { hash } from 'node:crypto';
import { type Clock, isId, type LeaseId, type TaskId } from '@mayfly/kernel';
import { ACCESS_TOKEN_TYPE, type TaskTokens, type TokenClaims, type TokenVerifier } from '@mayfly/trust';
import { LRUCache } from 'lru-cache';

/** The task that a token names, and the lease, if it is the access token of one. */
export interface ShownToken {
  readonly taskId: TaskId;
  readonly leaseId?: LeaseId;
}

interface VerifiedToken extends ShownToken {
  readonly expiresMs: number;
}

const MOST_TOKENS = 5_000;

/** Reads task tokens and access tokens. A token says what it is of, and never that this lives. */
export class ShownTokens {
  /** by SHA-256 of the token: an access token is shown for many operations, and a signature costs more than the rest */
  private readonly verified = new LRUCache<string, VerifiedToken>({ max: MOST_TOKENS });

  constructor(
    private readonly verifier: Pick<TokenVerifier, 'verify'>,
    private readonly taskTokens: Pick<TaskTokens, 'taskOf'>,
    private readonly issuer: string,
    private readonly clock: Clock,
  ) {}

  /** Returns undefined for a text that is no token of this installation, or whose `exp` passed. Never throws for a bad token. */
  async read(token: string): Promise<ShownToken | undefined> {
    const taskId = this.taskTokens.taskOf(token);
    if (taskId !== undefined) return { taskId };
    const digest = hash('sha256', token, 'base64url');
    const known = this.verified.get(digest);
    if (known !== undefined && known.expiresMs > this.clock.now().getTime()) return known;
    const claims = await this.verifier.verify(token, { typ: ACCESS_TOKEN_TYPE, issuer: this.issuer });
    const shown = claims && shownBy(claims);
    if (shown !== undefined) this.verified.set(digest, shown);
    return shown;
  }
}

function shownBy({ task_id: taskId, jti, exp }: TokenClaims): VerifiedToken | undefined {
  if (typeof taskId !== 'string' || !isId('tsk', taskId) || typeof jti !== 'string' || !isId('lse', jti))
    return undefined;
  return { taskId, leaseId: jti, expiresMs: exp * 1000 };
}
