import { actorOf } from '@mayfly/audit';
import type { Principal } from '@mayfly/identity';
import { isId, type JsonObject, type LeaseId } from '@mayfly/kernel';
import type { EndRequest } from '@mayfly/tasks';
import { ACCESS_TOKEN_TYPE, type TokenClaims, type TokenVerifier } from '@mayfly/trust';
import type { ResourceServers } from './resource-servers.js';

export interface AccessTokensParts {
  readonly verifier: Pick<TokenVerifier, 'verify'>;
  readonly leases: { isLive(leaseId: LeaseId): Promise<boolean> };
  readonly resourceServers: Pick<ResourceServers, 'serves'>;
  /** ends a task and revokes its credentials */
  readonly ending: { end(request: EndRequest): Promise<void> };
  /** audits a forbidden request */
  readonly refusals: { forbidden(caller: Principal, route: string): Promise<void> };
  /** takes a use of a token, for a resource server that asks for it */
  readonly operations: { consume(caller: Principal, token: string, audience: string): Promise<boolean> };
  /** the `iss` claim of the broker's tokens */
  readonly issuer: string;
}

/** The whole answer for a token that is dead, unknown or not for this caller (RFC 7662 §2.2). */
const INACTIVE: JsonObject = { active: false };

/** Introspects and revokes the access tokens that the broker signed. */
export class AccessTokens {
  constructor(private readonly parts: AccessTokensParts) {}

  /**
   * Returns the claims of an active token (RFC 7662 §2.2). It is inactive from the commit that records its task's end.
   * With `consume`, the caller is a resource server of the token, and the answer takes one use of its task: the token is
   * inactive when no use is left.
   * INVARIANT: I7, throws `unavailable` when the lease cannot be read; no token is active on a guess.
   */
  async introspect(caller: Principal, token: string, consume = false): Promise<JsonObject> {
    const claims = await this.claimsOf(token);
    if (claims === undefined || !this.mayIntrospect(caller, claims)) return INACTIVE;
    const { jti } = claims;
    if (typeof jti !== 'string' || !isId('lse', jti) || !(await this.parts.leases.isLive(jti))) return INACTIVE;
    if (consume && !(await this.consume(caller, token, claims))) return INACTIVE;
    return { active: true, ...disclosed(claims) };
  }

  private async consume(caller: Principal, token: string, { aud }: TokenClaims): Promise<boolean> {
    const isServer = typeof aud === 'string' && this.parts.resourceServers.serves(caller.identity, aud);
    return isServer && (await this.parts.operations.consume(caller, token, aud));
  }

  /**
   * Revokes a token (RFC 7009 §2). A token lives exactly as long as its task, so this ends the task with cause
   * `revoked` and revokes all of its credentials. An unknown or dead token, or a token of another agent, changes
   * nothing, and all of them get the same answer.
   */
  async revoke(caller: Principal, token: string): Promise<void> {
    const claims = await this.claimsOf(token);
    const taskId = claims?.task_id;
    if (claims === undefined || typeof taskId !== 'string' || !isId('tsk', taskId)) return;
    if (!mayRevoke(caller, claims)) return this.parts.refusals.forbidden(caller, 'POST /oauth/revoke');
    const actor = actorOf(caller);
    await this.parts.ending.end({ taskId, cause: 'revoked', reason: 'a token of the task was revoked', actor });
  }

  private claimsOf(token: string): Promise<TokenClaims | undefined> {
    return this.parts.verifier.verify(token, { typ: ACCESS_TOKEN_TYPE, issuer: this.parts.issuer });
  }

  private mayIntrospect(caller: Principal, claims: TokenClaims): boolean {
    if (caller.kind === 'person') return caller.roles.includes('operator') || caller.roles.includes('auditor');
    if (caller.kind === 'agent' && caller.agent.id === claims.client_id) return true;
    return typeof claims.aud === 'string' && this.parts.resourceServers.serves(caller.identity, claims.aud);
  }
}

function mayRevoke(caller: Principal, claims: TokenClaims): boolean {
  if (caller.kind === 'person') return caller.roles.includes('operator');
  return caller.kind === 'agent' && caller.agent.id === claims.client_id;
}

/** Returns the members of RFC 7662 §2.2 and RFC 9396 §9.2, `act` (RFC 8693 §4.1), and the task id; it discloses no other claim. */
function disclosed(claims: TokenClaims) {
  const { scope, client_id, sub, act, aud, iss, exp, iat, jti, task_id, authorization_details } = claims;
  const members = { scope, client_id, sub, act, aud, iss, exp, iat, jti };
  return { ...members, token_type: 'Bearer', task_id, authorization_details };
}
