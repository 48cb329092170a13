import type { JsonObject } from '@mayfly/kernel';
import { deny, type Judgement, permit } from '../decision.js';
import type { Obligations } from './obligations.js';

/**
 * The reason of a verdict of the policies:
 *
 * - `no-policy`: none applies, so all of them permit; Cedar was not asked;
 * - `permitted`: no policy forbids, and every allow-list that applies permits;
 * - `forbidden`: a `forbid` matches;
 * - `not-permitted`: an allow-list applies, and none of its permits matches;
 * - `error`: there was no clean answer, so the request is denied.
 */
export type PolicyReason = 'no-policy' | 'permitted' | 'forbidden' | 'not-permitted' | 'error';

/** The verdict of all policies on one request. */
export interface PolicyVerdict {
  readonly outcome: 'permit' | 'deny';
  readonly reason: PolicyReason;
  /** the ids of the policies that decided, sorted */
  readonly policies: readonly string[];
  readonly obligations: Obligations;
  /** the digest of the set that decided, with the declared environment; absent when no policy applies */
  readonly policyDigest?: string;
  /** the `@reason` texts of the policies that deny */
  readonly told?: string;
}

/** Returns the verdict as that of the control `policy`. */
export function judgePolicy(verdict: PolicyVerdict): Judgement {
  const { outcome, reason, policies, obligations, policyDigest } = verdict;
  if (reason === 'no-policy') return permit('policy');
  const evidence: JsonObject = {
    ...{ reason, policies: [...policies] },
    ...(Object.keys(obligations).length === 0 ? {} : { obligations: { ...obligations } }),
    ...(policyDigest === undefined ? {} : { policyDigest }),
  };
  return outcome === 'permit' ? { ...permit('policy'), evidence } : denialOf(verdict, evidence);
}

function denialOf({ reason, policies, told }: PolicyVerdict, evidence: JsonObject): Judgement {
  const shown = names(policies);
  if (reason === 'forbidden')
    return deny('policy', `policy ${shown} forbids the request`, {
      ...{ help: told ?? 'ask the owner of the policy, who can read its condition', evidence },
    });
  if (reason === 'not-permitted')
    return deny('policy', `no permit that applies matches the request: ${shown}`, {
      ...{ help: told ?? 'ask the owner of the policy for a permit', evidence },
    });
  return deny('policy', `the policies gave no clean answer, so the request is denied: ${shown}`, {
    ...{ help: 'ask the platform team to test the policies with `mayfly policy test`', evidence },
  });
}

function names(policies: readonly string[]): string {
  const shown = policies.slice(0, 5).map((policy) => `\`${policy}\``);
  const more = policies.length - shown.length;
  return shown.length === 0 ? 'none could be asked' : shown.join(', ') + (more > 0 ? ` and ${String(more)} more` : '');
}
