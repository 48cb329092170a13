import { isDeepStrictEqual } from 'node:util';
import type { Minted } from '@mayfly/credentials';
import type { Json, JsonObject } from '@mayfly/kernel';
import { partiesOf } from './parties.js';
import type { SignedTokenOrder } from './signed-token.provider.js';
import type { SignedTokenHandle } from './signed-token.schemas.js';

/**
 * Compares a minted token with its order, claim by claim, as read from the token itself: the minter does not judge its
 * own work. Returns the reason to withhold the token, which names a claim and shows none, or undefined. Does not verify
 * the signature: a token with a bad one grants nothing.
 */
export function checkSignedToken(order: SignedTokenOrder, minted: Minted<SignedTokenHandle>): string | undefined {
  const claims = payloadOf(minted.secret.token);
  if (claims === undefined) return 'the token cannot be read';
  if (minted.handle.jti !== order.leaseId) return 'the handle is of another lease';
  return wrongClaim(claims, allowedClaims(order)) ?? wrongExpiry(claims.exp, order, minted);
}

/**
 * Returns the required value of each claim (RFC 9068 §2.2). Only `iss` and `exp` may vary; no other claim is allowed.
 */
function allowedClaims(order: SignedTokenOrder): JsonObject {
  const { agent, leaseId, taskId, template, scope, issuedAt } = order;
  return {
    ...partiesOf(order),
    client_id: agent.id,
    aud: scope.audience,
    jti: leaseId,
    iat: Math.floor(issuedAt.getTime() / 1000),
    task_id: taskId,
    template: { name: template.name, version: template.version },
    scope: scope.operations.join(' '),
    authorization_details: [{ type: 'mayfly_operations', actions: scope.operations, locations: [scope.audience] }],
  };
}

function wrongClaim(claims: JsonObject, allowed: JsonObject): string | undefined {
  const extra = Object.keys(claims).find((name) => !Object.hasOwn(allowed, name) && name !== 'iss' && name !== 'exp');
  if (extra !== undefined) return `the claim \`${extra}\` is not allowed`;
  const wrong = Object.keys(allowed).find((name) => !isSame(claims[name], allowed[name]));
  return wrong === undefined ? undefined : `the claim \`${wrong}\` differs from the order`;
}

function wrongExpiry(exp: Json | undefined, order: SignedTokenOrder, minted: Minted<unknown>): string | undefined {
  if (typeof exp !== 'number' || exp * 1000 > order.expiresAt.getTime()) return 'the token lives longer than allowed';
  if (exp * 1000 !== minted.providerExpiresAt.getTime()) return 'the stated expiry differs from the one in the token';
  return undefined;
}

function isSame(actual: Json | undefined, allowed: Json | undefined): boolean {
  // most claims are texts and numbers
  if (typeof allowed !== 'object') return actual === allowed;
  return isDeepStrictEqual(actual, allowed);
}

function payloadOf(token: Json | undefined): JsonObject | undefined {
  const body = typeof token === 'string' ? token.split('.')[1] : undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(body ?? '', 'base64url').toString());
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? (claims as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
