import { randomUUID } from 'node:crypto';
import { Problem, type Clock, type JsonObject } from '@mayfly/kernel';
import { signJws } from './jws.js';
import type { KeyRing } from './key-ring.js';

const LONGEST_LIFETIME_SECONDS = 3_600;
/** The registered claims (RFC 7519 §4.1), which an order cannot set. */
const REGISTERED_CLAIMS: ReadonlySet<string> = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti']);

/** The token to issue. */
export interface FederationTokenOrder {
  /** the single audience, such as `sts.amazonaws.com` */
  readonly audience: string;
  readonly subject: string;
  /** 1 to 3,600, and at most the time for which the ring publishes a key */
  readonly lifetimeSeconds: number;
  /** further claims; registered ones (RFC 7519 §4.1) are refused */
  readonly claims?: JsonObject;
}

/**
 * Issues the tokens that prove this service to targets that trust it as an OpenID Provider (OpenID Connect Core §2;
 * docs/adr/0010-federation-keys.md). Mayfly never verifies these tokens.
 */
export class FederationTokens {
  /**
   * `issuer` is the `iss`: the URL under which targets find `/.well-known/openid-configuration`. INVARIANT: I8, keys
   * that sign agents' tokens never sign here. Throws `internal` for a ring of another purpose.
   */
  constructor(
    private readonly ring: KeyRing,
    private readonly clock: Clock,
    readonly issuer: string,
  ) {
    ring.mustBeFor('federation');
  }

  /**
   * Returns a JWT in compact form, typ `JWT`. It has no `nbf`, since a target with a slow clock would refuse it. Throws
   * `unavailable` when no key is ready, and `internal` for an invalid order.
   */
  async issue(order: FederationTokenOrder): Promise<string> {
    this.mustBeFillable(order);
    const { algorithm, kid, privateKey } = this.ring.signer();
    const issuedAt = Math.floor(this.clock.now().getTime() / 1000);
    const claims: JsonObject = {
      ...order.claims,
      iss: this.issuer,
      sub: order.subject,
      aud: order.audience,
      iat: issuedAt,
      exp: issuedAt + order.lifetimeSeconds,
      jti: randomUUID(),
    };
    return signJws({ alg: algorithm, typ: 'JWT', kid }, JSON.stringify(claims), privateKey);
  }

  private mustBeFillable({ audience, subject, lifetimeSeconds, claims = {} }: FederationTokenOrder): void {
    const longest = Math.min(LONGEST_LIFETIME_SECONDS, this.ring.options.longestTokenSeconds);
    if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds < 1 || lifetimeSeconds > longest) {
      throw new Problem('internal', `a federation token lives for 1 to ${String(longest)} s; use such a lifetime`);
    }
    if (audience === '' || subject === '') {
      throw new Problem('internal', 'a federation token needs one audience and one subject; name both');
    }
    const registered = Object.keys(claims).filter((name) => REGISTERED_CLAIMS.has(name));
    if (registered.length > 0) {
      throw new Problem('internal', `a federation token sets \`${registered.join('`, `')}\` itself; leave it out`);
    }
  }
}
