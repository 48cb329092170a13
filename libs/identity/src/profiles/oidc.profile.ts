import type { ProfileRules } from './profile.js';
import { keepClaims, subjectOf } from './proven-claims.js';

/** Any OpenID provider (OIDC Core §2). The claims that agents are bound to are kept, and no others. */
export const oidcProfile: ProfileRules = {
  types: ['jwt'],
  // Common providers add the thumbprint of a certificate. It selects nothing here.
  ignoredHeaders: ['x5t', 'x5t#S256'],
  requiredClaims: ['iss', 'sub', 'exp', 'iat'],
  accept: (claims, _, boundNames) => ({ subject: subjectOf(claims), kept: keepClaims(claims, boundNames) }),
};
