import type { Authoring } from '@mayfly/credentials';
import type { Hole, ScopeMember } from '@mayfly/templates';
import { readAwsScope } from './read-scope.js';

/** `arn:partition:service:region:account:resource`: what comes before the resource says whose thing it is. */
const ARN = /^arn:/i;
const PLACES = ['partition', 'service', 'region', 'account'] as const;

/**
 * Conditions that a value turns around. One that holds for everything but what is named: a caller would name what is never
 * there. One of two values: a caller would say `false`. One on a network: a caller would make its mask 0.
 */
const TURNED_AROUND =
  /^(For(All|Any)Values?:)?((String|Numeric|Date|Arn)?Not(Equals|Like|IpAddress)|Bool|Null|IpAddress)/;

/** What AWS's policy grammar asks of template authors. */
export const AWS_AUTHORING = {
  authoredMembers: ['roleArn', 'policyArns', 'externalId', 'Effect', 'Action', 'transitiveTagKeys'],
  /** What a denial is about is the author's too: a caller would choose what is not there. */
  isAuthored: (key, members) => members.some(isDeny) || TURNED_AROUND.test(key),
  faultsOfText: arnFaults,
  readScope: readAwsScope,
} satisfies Authoring;

function isDeny([key, member]: ScopeMember): boolean {
  if (key !== 'Effect') return false;
  if (member.kind === 'fixed') return member.value === 'Deny';
  return member.kind === 'hole' && member.rule.kind === 'listed' && member.rule.members.includes('Deny');
}

/** A listed region is the one thing before the resource that a parameter may choose. */
function arnFaults(parts: readonly (string | Hole)[]): string[] {
  let before = [''];
  const found: string[] = [];
  for (const part of parts) {
    const texts = typeof part === 'string' ? [part] : valuesOf(part);
    if (typeof part !== 'string' && before.some((text) => ARN.test(text))) {
      const place = PLACES[Math.min(...before.map(colons)) - 1];
      const isListedRegion = place === 'region' && part.rule.kind === 'listed';
      if (place !== undefined && !isListedRegion) {
        found.push(`\`${part.parameter}\` reaches into the ${place} of an ARN; write that out`);
      }
    }
    // enough to tell where the next hole stands, however many combinations there are
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
