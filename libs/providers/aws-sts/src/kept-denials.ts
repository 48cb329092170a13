import type { DenyPolicies, DenyPolicyClaim, FoundDenials } from '@mayfly/credentials';
import { readDenyPolicy, type Denials } from './deny-policy.js';
import { policyInstant } from './session-policy.js';

/** No session of STS lives longer, whatever the role and the connection say (STS API reference, AssumeRole). */
const LONGEST_SESSION_SECONDS = 43_200;

/**
 * Keeps what a document of Mayfly's denies and the claim does not: the database is older than the document, as after a
 * restored backup. Returns the claim with the kept denials, or undefined when the claim has lapsed. `text` is the
 * document at the role. Of a document that Mayfly did not write, or that was edited, nothing is kept. Throws
 * `unavailable`.
 */
export async function keepUnknown(
  denyPolicies: Pick<DenyPolicies, 'keep'>,
  claim: DenyPolicyClaim,
  text: string | undefined,
): Promise<DenyPolicyClaim | undefined> {
  const read = text === undefined ? undefined : readDenyPolicy(text);
  const found = read === undefined ? undefined : unknownTo(claim, read);
  return found === undefined ? claim : denyPolicies.keep(claim, found, LONGEST_SESSION_SECONDS);
}

/** Returns the names, and a later cut-off, that a document has and the claim does not; undefined when there are none. */
function unknownTo({ sessions, cutOff }: DenyPolicyClaim, found: Denials): FoundDenials | undefined {
  const known = new Set<string>(sessions.map(({ leaseId }) => leaseId));
  const names = found.names.filter((name) => !known.has(name));
  const isLater = found.cutOff !== undefined && (cutOff === undefined || policyInstant(cutOff.at) < found.cutOff);
  if (names.length === 0 && !isLater) return undefined;
  return { names, ...(isLater ? { cutOff: found.cutOff } : {}) };
}
