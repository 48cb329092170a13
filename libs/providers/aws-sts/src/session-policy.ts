import { ASSUME_ROLE, isAssumeRole } from './action.js';
import type { Policy, Statement } from './policy.schema.js';

/**
 * The maximum number of characters of a session policy and the ARNs of its managed policies together (STS API
 * reference, AssumeRole).
 */
export const MAX_POLICY_CHARACTERS = 2048;

/**
 * Returns a time in the form that IAM's date operators read in every engine: UTC, whole seconds, `Z`. Rounds down,
 * never up (I6).
 */
export function policyTime(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

/** Returns the instant that `policyTime` writes. */
export function policyInstant(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1000) * 1000);
}

/**
 * Returns the policy of one session, as compact JSON: the template's statements; a Deny of everything from the granted
 * deadline on, which AWS's own clock enforces without Mayfly; and a Deny of other roles, unless the template allows to
 * take one. `DateGreaterThanEquals` refuses at the second itself (`DateGreaterThan` would add up to a second).
 */
export function compileSessionPolicy(policy: Policy, expiresAt: Date): string {
  // INVARIANT: I6, a session is never usable past the granted deadline, although STS gives none under 900 s.
  const deadline: Statement = {
    Effect: 'Deny',
    Action: '*',
    Resource: '*',
    Condition: { DateGreaterThanEquals: { 'aws:CurrentTime': policyTime(expiresAt) } },
  };
  const noOtherRoles: Statement = { Effect: 'Deny', Action: `${ASSUME_ROLE}*`, Resource: '*' };
  const statements = [...policy.Statement, deadline, ...(takesRoles(policy) ? [] : [noOtherRoles])];
  return JSON.stringify({ Version: policy.Version, Statement: statements });
}

/** Returns true when the template lets its sessions take another role. */
export function takesRoles(policy: Policy): boolean {
  return policy.Statement.some(
    ({ Effect, Action }) => Effect === 'Allow' && [Action].flat().some((action) => isAssumeRole(action)),
  );
}

/** Returns the number of characters that STS counts against `MAX_POLICY_CHARACTERS`; the same for every deadline. */
export function policyCharacters(policy: Policy, policyArns: readonly string[] = []): number {
  const compiled = compileSessionPolicy(policy, new Date(0));
  return compiled.length + policyArns.reduce((sum, arn) => sum + arn.length, 0);
}
