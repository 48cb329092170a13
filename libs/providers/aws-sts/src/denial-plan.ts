import type { DenialClaim, DenialWrite } from '@mayfly/credentials';
import { addSeconds } from '@mayfly/kernel';
import { countedCharacters, renderDenials, type Denials } from './denial-document.js';
import { policyInstant } from './session-policy.js';

/** How far the clock that stamps sessions may be from ours: so much before a cut-off a session is named all the same. */
const CLOCK_SLACK_SECONDS = 10;

/** What has to stand at a role. */
export interface DenialPlan {
  /** undefined when nothing is left to deny */
  readonly denials?: Denials;
  /** a cut-off that this plan adds, for the record */
  readonly cutOff?: NonNullable<DenialWrite['cutOff']>;
}

/**
 * What has to stand for a claim: each session by its name; once those need more than `maxCharacters`, a cut-off of everything that
 * the role issued before `now`, and by name only what may have been issued after it. When even that is too much, the cut-off
 * moves on to after the last of them, and the role gives nothing usable until then. `crowded` has the cut-off in any case:
 * IAM had no room for the list.
 */
export function planDenials(claim: DenialClaim, now: Date, maxCharacters: number, isCrowded = false): DenialPlan {
  const standing = claim.cutOff;
  if (standing !== undefined && standing.until <= now)
    return planDenials(without(claim), now, maxCharacters, isCrowded);
  const listed = denialsOf(claim, standing?.at);
  if (listed.names.length === 0 && standing === undefined) return {};
  return !isCrowded && fits(listed, maxCharacters) ? { denials: listed } : cutOffPlan(claim, now, maxCharacters);
}

function cutOffPlan(claim: DenialClaim, now: Date, maxCharacters: number): DenialPlan {
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

/** The claim once everything that its cut-off refuses has expired. */
function without({ cutOff: _, ...claim }: DenialClaim): DenialClaim {
  return claim;
}

function denialsOf({ sessions }: DenialClaim, cutOff: Date | undefined): Denials {
  const names = sessions.filter(({ issuedBy }) => !covers(cutOff, issuedBy)).map(({ leaseId }) => leaseId);
  return { names, ...(cutOff === undefined ? {} : { cutOff }) };
}

function latest(instants: readonly (Date | undefined)[], first: Date): Date {
  return instants.reduce<Date>((last, at) => (at !== undefined && at > last ? at : last), first);
}

/** Whether a cut-off refuses all that was issued by then, whatever the distance of the clocks. */
export function covers(cutOff: Date | undefined, issuedBy: Date): boolean {
  return cutOff !== undefined && addSeconds(issuedBy, CLOCK_SLACK_SECONDS) < cutOff;
}

/** With the longest revision that there can be, so that the size does not depend on it. */
function fits(denials: Denials, maxCharacters: number): boolean {
  return countedCharacters(renderDenials(denials, Number.MAX_SAFE_INTEGER)) <= maxCharacters;
}
