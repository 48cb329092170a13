import { identityRefused } from '../identity-refusal.js';
import type { ProfileRules } from './profile.js';
import { keepTexts, subjectOf } from './proven-claims.js';

/**
 * Immutable ids and the facts of the run. A workflow's owner can customise `sub`, so these facts are never read from
 * it.
 */
const BOUND_CLAIMS = ['repository_id', 'repository_owner_id', 'event_name', 'run_id', 'run_attempt'];
const KEPT_CLAIMS = [
  ...BOUND_CLAIMS,
  'repository',
  'repository_owner',
  'repository_visibility',
  'environment',
  'job_workflow_ref',
  'job_workflow_sha',
  'workflow_ref',
  'ref',
  'ref_type',
  'runner_environment',
  'actor_id',
  'check_run_id',
  'enterprise_id',
];

/**
 * An OIDC token of a GitHub Actions job (GitHub, "OpenID Connect reference"). It must have the ids of repository and
 * owner, the event and the run.
 */
export const githubActionsProfile: ProfileRules = {
  types: ['jwt'],
  // GitHub adds a certificate's thumbprint. Mayfly does not use it.
  ignoredHeaders: ['x5t'],
  requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
  accept: (claims) => {
    const kept = keepTexts(claims, KEPT_CLAIMS);
    if (BOUND_CLAIMS.some((name) => !Object.hasOwn(kept, name))) throw identityRefused('profile');
    return { subject: subjectOf(claims), kept };
  },
};
