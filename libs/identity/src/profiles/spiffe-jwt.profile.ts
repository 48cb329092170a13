import { identityRefused } from '../identity-refusal.js';
import { parseSpiffeId } from '../spiffe-id.js';
import type { ProfileRules } from './profile.js';
import { subjectOf } from './proven-claims.js';

/**
 * JWT-SVID (SPIFFE JWT-SVID §2, §3): `sub` is the SPIFFE ID of a workload of this trust domain. Returns it in canonical
 * form.
 */
export const spiffeJwtProfile: ProfileRules = {
  types: ['jwt', 'jose'],
  ignoredHeaders: [],
  requiredClaims: ['sub', 'aud', 'exp'],
  accept: (claims, spec) => {
    const id = parseSpiffeId(subjectOf(claims));
    if (id === undefined || id.path === '') throw identityRefused('profile');
    if (id.trustDomain !== parseSpiffeId(spec.issuer)?.trustDomain) throw identityRefused('profile');
    return { subject: id.canonical, kept: {} };
  },
};
