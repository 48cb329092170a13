import { identityRefused } from '../identity-refusal.js';
import type { ProfileRules } from './profile.js';
import { keepTexts, subjectOf } from './proven-claims.js';

/** Immutable ids and the facts of the run; `sub` can be customised, so it is never read for them. */
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

/** An OIDC token of a GitHub Actions job: it must say whose repository, which event and which run. */
export const githubActionsProfile: ProfileRules = {
  types: ['jwt'],
  // GitHub adds the thumbprint of a certificate. It selects nothing here.
  ignoredHeaders: ['x5t'],
  requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
  accept: (claims) => {
    const kept = keepTexts(claims, KEPT_CLAIMS);
    if (BOUND_CLAIMS.some((name) => !Object.hasOwn(kept, name))) throw identityRefused('profile');
    return { subject: subjectOf(claims), kept };
  },
};
