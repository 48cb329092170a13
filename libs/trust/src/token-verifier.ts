import type { KeyObject } from 'node:crypto';
import type { Clock } from '@mayfly/kernel';
import { decodeJws, isVerified, parseObject, verifyJws, type DecodedJws, type VerifiedAlgorithm } from './jws.js';
import type { KeyRing } from './key-ring.js';
import type { TokenClaims } from './token-signer.js';

const LONGEST_TOKEN_CHARACTERS = 8_192;

interface VerificationKey {
  readonly algorithm: VerifiedAlgorithm;
  readonly key: KeyObject;
}

/** The type, the issuer and the audience that a token must have (RFC 8725 §3.8, §3.9, §3.11). */
export interface TokenExpectations {
  readonly typ: string;
  readonly issuer: string;
  /** absent when the caller decides by the audience in the token */
  readonly audience?: string;
}

/** Verifies the access tokens that this service signed. The caller must check that the lease is live. */
export class TokenVerifier {
  /**
   * INVARIANT: I8, a federation key never verifies an access token. Throws `internal` for a ring of another purpose.
   */
  constructor(
    private readonly ring: KeyRing,
    private readonly clock: Clock,
  ) {
    ring.mustBeFor('access');
  }

  /**
   * Returns the claims of a token that a published key signed, with the expected type, issuer and audience, and that is
   * valid now (RFC 9068 §4). There is no leeway, since this service's clock also signs. Returns undefined for any other
   * token (RFC 7662 §2.2 wants no reason); never throws for a bad token.
   */
  async verify(token: string, expected: TokenExpectations): Promise<TokenClaims | undefined> {
    const jws = token.length <= LONGEST_TOKEN_CHARACTERS ? decodeJws(token) : undefined;
    const match = jws && this.keyFor(jws, expected.typ);
    if (jws === undefined || match === undefined) return undefined;
    if (!(await verifyJws(jws, match.algorithm, match.key))) return undefined;
    const claims = parseObject(jws.payload);
    return claims !== undefined && isAlive(claims, this.clock.now()) && isExpected(claims, expected)
      ? claims
      : undefined;
  }

  /**
   * Finds the key by the header's kid among our own keys. The header's algorithm must be the key's (RFC 8725 §3.1), and
   * no extension may be critical (RFC 7515 §4.1.11).
   */
  private keyFor({ header }: DecodedJws, typ: string): VerificationKey | undefined {
    if (header.typ !== typ || header.crit !== undefined || typeof header.kid !== 'string') return undefined;
    const { algorithm, publicKey } = this.ring.find(header.kid) ?? {};
    if (algorithm === undefined || publicKey === undefined || algorithm !== header.alg) return undefined;
    return isVerified(algorithm) ? { algorithm, key: publicKey } : undefined;
  }
}

/** True between `nbf`, if the token has it, and `exp` (RFC 7519 §4.1.4, §4.1.5). */
function isAlive(claims: Readonly<Record<string, unknown>>, now: Date): claims is TokenClaims {
  const seconds = now.getTime() / 1000;
  const { exp, nbf = 0 } = claims;
  return typeof exp === 'number' && typeof nbf === 'number' && nbf <= seconds && seconds < exp;
}

function isExpected(claims: TokenClaims, { issuer, audience }: TokenExpectations): boolean {
  return claims.iss === issuer && (audience === undefined || claims.aud === audience);
}
