import type { DenyPolicyClaim, DenyPolicyWrite } from '@mayfly/credentials';
import { addSeconds } from '@mayfly/kernel';
import { countedCharacters, renderDenyPolicy, type Denials } from './deny-policy.js';
import { policyInstant } from './session-policy.js';

/**
 * Tolerated difference between AWS's clock and ours. A session issued this shortly before a cut-off is also denied by
 * name.
 */
const CLOCK_SLACK_SECONDS = 10;

/** The denials that must be in force at a role. */
export interface DenyPolicyPlan {
  /** undefined when nothing is left to deny */
  readonly denials?: Denials;
  /** a cut-off that this plan adds, to be recorded */
  readonly cutOff?: NonNullable<DenyPolicyWrite['cutOff']>;
}

/**
 * Returns the denials for a claim: each session by its name. When the names need more than `maxCharacters`, a cut-off
 * denies everything that the role issued before `now`, and names cover only sessions that may have been issued later.
 * When even that is too long, the cut-off moves to after the last session, and the role issues nothing usable until
 * then. `isCrowded` forces the cut-off: IAM had no room for the list.
 */
export function planDenyPolicy(
  claim: DenyPolicyClaim,
  now: Date,
  maxCharacters: number,
  isCrowded = false,
): DenyPolicyPlan {
  const standing = claim.cutOff;
  if (standing !== undefined && standing.until <= now)
    return planDenyPolicy(without(claim), now, maxCharacters, isCrowded);
  const listed = denialsOf(claim, standing?.at);
  if (listed.names.length === 0 && standing === undefined) return {};
  return !isCrowded && fits(listed, maxCharacters) ? { denials: listed } : cutOffPlan(claim, now, maxCharacters);
}

function cutOffPlan(claim: DenyPolicyClaim, now: Date, maxCharacters: number): DenyPolicyPlan {
  const { cutOff: standing } = claim;
  const until = latest(
    [...claim.sessions.map(({ expiresAt }) => expiresAt), claim.lastExpiresAt, standing?.until],
    now,
  );
  const at = latest([standing?.at], policyInstant(now));
  const cut = denialsOf(claim, at);
  if (fits(cut, maxCharacters)) return { denials: cut, cutOff: { at, until } };
  const last = latest(
    claim.sessions.map(({ issuedBy }) => issuedBy),
    at,
  );
  const afterAll = policyInstant(addSeconds(last, CLOCK_SLACK_SECONDS + 2));
  return { denials: denialsOf(claim, afterAll), cutOff: { at: afterAll, until: latest([until], afterAll) } };
}

/** Returns the claim without its cut-off, once every session that the cut-off denies has expired. */
function without({ cutOff: _, ...claim }: DenyPolicyClaim): DenyPolicyClaim {
  return claim;
}

function denialsOf({ sessions }: DenyPolicyClaim, cutOff: Date | undefined): Denials {
  const names = sessions.filter(({ issuedBy }) => !covers(cutOff, issuedBy)).map(({ leaseId }) => leaseId);
  return { names, ...(cutOff === undefined ? {} : { cutOff }) };
}

function latest(instants: readonly (Date | undefined)[], first: Date): Date {
  return instants.reduce<Date>((last, at) => (at !== undefined && at > last ? at : last), first);
}

/**
 * Returns true when a cut-off denies everything issued until `issuedBy`, even when the clocks differ by the tolerance.
 */
export function covers(cutOff: Date | undefined, issuedBy: Date): boolean {
  return cutOff !== undefined && addSeconds(issuedBy, CLOCK_SLACK_SECONDS) < cutOff;
}

/** Measures the document with the longest possible revision, so that the size does not depend on it. */
function fits(denials: Denials, maxCharacters: number): boolean {
  return countedCharacters(renderDenyPolicy(denials, Number.MAX_SAFE_INTEGER)) <= maxCharacters;
}
