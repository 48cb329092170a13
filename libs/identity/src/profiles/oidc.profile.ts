import type { TokenClaims } from '../token/compact-token.js';
import type { ProfileRules } from './profile.js';
import { keepClaims, subjectOf } from './proven-claims.js';

const REGISTERED = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'nonce', 'at_hash', 'c_hash'];

/** Any OpenID provider (OIDC Core §2). Of a workload the short string claims are kept, of a person none. */
export const oidcProfile: ProfileRules = {
  types: ['jwt'],
  // Common providers add the thumbprint of a certificate. It selects nothing here.
  ignoredHeaders: ['x5t', 'x5t#S256'],
  requiredClaims: ['iss', 'sub', 'exp', 'iat'],
  accept: (claims, { roles }) => ({
    subject: subjectOf(claims),
    kept: roles === undefined ? keepClaims(claims, ownClaims(claims)) : {},
  }),
};

function ownClaims(claims: TokenClaims): string[] {
  return Object.keys(claims).filter((name) => !REGISTERED.includes(name));
}
