import type { Authoring } from '@mayfly/credentials';
import type { Hole, ScopeMember } from '@mayfly/templates';
import { readAwsScope } from './read-scope.js';

/**
 * The start of `arn:partition:service:region:account:resource`. The parts before the resource say whose resource it is.
 */
const ARN = /^arn:/i;
const PLACES = ['partition', 'service', 'region', 'account'] as const;

/**
 * Operators whose condition a caller's value could always satisfy. Negated: a caller names a value that never occurs.
 * Booleans: a caller says `false`. Networks: a caller sets the mask to 0.
 */
const TURNED_AROUND =
  /^(For(All|Any)Values?:)?((String|Numeric|Date|Arn)?Not(Equals|Like|IpAddress)|Bool|Null|IpAddress)/;

/** The rules of AWS's policy grammar for template authors. */
export const AWS_AUTHORING = {
  authoredMembers: ['roleArn', 'policyArns', 'externalId', 'Effect', 'Action', 'transitiveTagKeys'],
  /** Every member of a Deny is authored too: a caller could choose a value that never occurs. */
  isAuthored: (key, members) => members.some(isDeny) || TURNED_AROUND.test(key),
  faultsOfText: arnFaults,
  readScope: readAwsScope,
} satisfies Authoring;

function isDeny([key, member]: ScopeMember): boolean {
  if (key !== 'Effect') return false;
  if (member.kind === 'fixed') return member.value === 'Deny';
  return member.kind === 'hole' && member.rule.kind === 'listed' && member.rule.members.includes('Deny');
}

/** Returns a fault for each parameter before the resource part of an ARN, except a listed region. */
function arnFaults(parts: readonly (string | Hole)[]): string[] {
  let before = [''];
  const found: string[] = [];
  for (const part of parts) {
    const texts = typeof part === 'string' ? [part] : valuesOf(part);
    if (typeof part !== 'string' && before.some((text) => ARN.test(text))) {
      const place = PLACES[Math.min(...before.map(colons)) - 1];
      const isListedRegion = place === 'region' && part.rule.kind === 'listed';
      if (place !== undefined && !isListedRegion) {
        found.push(`\`${part.parameter}\` reaches into the ${place} of an ARN; write the ${place} out`);
      }
    }
    // one text is enough to locate the next hole; listing all combinations would be too many
    before = [shortest(before, texts)];
  }
  return found;
}

function shortest(before: readonly string[], texts: readonly string[]): string {
  const joined = before.flatMap((text) => texts.map((next) => text + next));
  const arns = joined.filter((text) => ARN.test(text));
  const candidates = arns.length > 0 ? arns : joined;
  return candidates.reduce((least, text) => (colons(text) < colons(least) ? text : least));
}

function valuesOf({ rule }: Hole): readonly string[] {
  return rule.kind === 'listed' ? rule.members.map(String) : ['x'];
}

function colons(text: string): number {
  return text.split(':').length - 1;
}
