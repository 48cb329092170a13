import { addSeconds, Problem, type Clock, type JsonObject } from '@mayfly/kernel';
import { signJws, type SignInput } from './jws.js';
import type { KeyRing } from './key-ring.js';

/** The `typ` of the access tokens that agents get (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

/** JWT claims (RFC 7519 §4); `exp` is in seconds since 1970. */
export interface TokenClaims extends JsonObject {
  readonly exp: number;
}

/** Signs access tokens with the current key of the ring. */
export class TokenSigner {
  /**
   * INVARIANT: I8, agents' tokens are signed only with access keys, which never authenticate this service at a target.
   * Throws `internal` for a ring of another purpose. Without `signInput`, Node's thread pool makes the signatures.
   */
  constructor(
    private readonly ring: KeyRing,
    private readonly clock: Clock,
    private readonly signInput?: SignInput,
  ) {
    ring.mustBeFor('access');
  }

  /**
   * Returns a JWT in compact form (RFC 7515 §7.1) with the header members `alg`, `typ` (such as `at+jwt`) and `kid`.
   * Throws `unavailable` when no key is ready, and `internal` for a token that would outlive the publication of its
   * key.
   */
  async sign(typ: string, claims: TokenClaims): Promise<string> {
    const { longestTokenSeconds, skewSeconds } = this.ring.options;
    if (claims.exp * 1000 > addSeconds(this.clock.now(), longestTokenSeconds + skewSeconds).getTime()) {
      throw new Problem(
        'internal',
        `a token lives for at most ${String(longestTokenSeconds)} s; use a shorter lifetime`,
      );
    }
    const { algorithm, kid, privateKey } = this.ring.signer();
    return signJws({ alg: algorithm, typ, kid }, JSON.stringify(claims), privateKey, this.signInput);
  }
}
