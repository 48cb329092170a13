import type { IssuerProfile } from '../issuers/issuer-spec.js';
import { githubActionsProfile } from './github-actions.profile.js';
import { kubernetesProfile } from './kubernetes.profile.js';
import { oidcProfile } from './oidc.profile.js';
import type { ProfileRules } from './profile.js';
import { spiffeJwtProfile } from './spiffe-jwt.profile.js';

/** The only list of profiles. */
export const profileRules: Record<IssuerProfile, ProfileRules> = {
  oidc: oidcProfile,
  'spiffe-jwt': spiffeJwtProfile,
  kubernetes: kubernetesProfile,
  'github-actions': githubActionsProfile,
};
