import type { ProfileRules } from './profile.js';
import { keepClaims, subjectOf } from './proven-claims.js';

/** Any OpenID provider (OIDC Core §2). Keeps only the claims that agents are bound to. */
export const oidcProfile: ProfileRules = {
  types: ['jwt'],
  // Common providers add a certificate's thumbprint. Mayfly does not use it.
  ignoredHeaders: ['x5t', 'x5t#S256'],
  requiredClaims: ['iss', 'sub', 'exp', 'iat'],
  accept: (claims, _, boundNames) => ({ subject: subjectOf(claims), kept: keepClaims(claims, boundNames) }),
};
