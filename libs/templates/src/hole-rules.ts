import { below } from './json-pointer.js';
import { finding, type Finding } from './rule.js';
import { holesOf, type Hole, type ScopeNode } from './scope-node.js';

/** `arn:partition:service:region:account:resource`: what comes before the resource says whose thing it is. */
const ARN = /^arn:/i;
const EFFECT = 'Effect';
const PLACES = ['partition', 'service', 'region', 'account'] as const;

/**
 * Rules MF210 and MF211: no hole says whose thing an ARN names, and none that a caller fills freely stands where the provider
 * wants the author's own words (`authoredMembers`: actions, effects, roles). Where statements have an effect, what a denial is
 * about is the author's too: a caller would choose what is not there.
 */
export function checkHoles(root: ScopeNode, authoredMembers: readonly string[], pointer: string): Finding[] {
  switch (root.kind) {
    case 'fixed':
    case 'hole':
      return [];
    case 'join':
      return arnFaults(root.parts, pointer);
    case 'list':
      return root.items.flatMap((item, index) => checkHoles(item, authoredMembers, below(pointer, index)));
    case 'map': {
      const isDenial = authoredMembers.includes(EFFECT) && root.members.some(isDeny);
      return root.members.flatMap(([key, member]) => {
        const place = below(pointer, key);
        const isAuthored = isDenial || authoredMembers.includes(key) || isTurnedAround(key, authoredMembers);
        const faults = isAuthored ? authoredFaults(key, member, place) : [];
        return [...faults, ...checkHoles(member, authoredMembers, place)];
      });
    }
  }
}

function isDeny([key, member]: readonly [string, ScopeNode]): boolean {
  if (key !== EFFECT) return false;
  if (member.kind === 'fixed') return member.value === 'Deny';
  return member.kind === 'hole' && member.rule.kind === 'listed' && member.rule.members.includes('Deny');
}

/**
 * Conditions that a value turns around. One that holds for everything but what is named: a caller would name what is never
 * there. One of two values: a caller would say `false`. One on a network: a caller would make its mask 0.
 */
const TURNED_AROUND =
  /^(For(All|Any)Values?:)?((String|Numeric|Date|Arn)?Not(Equals|Like|IpAddress)|Bool|Null|IpAddress)/;

function isTurnedAround(key: string, authored: readonly string[]): boolean {
  return authored.includes(EFFECT) && TURNED_AROUND.test(key);
}

function authoredFaults(key: string, member: ScopeNode, pointer: string): Finding[] {
  const free = holesOf(member).find(({ rule }) => rule.kind === 'free');
  if (free === undefined) return [];
  const detail = `\`${free.parameter}\` is free, and \`${key}\` has to be the author's; list its values with \`enum\``;
  return [finding('MF211', pointer, detail)];
}

/** A listed region is the one thing before the resource that a parameter may choose. */
function arnFaults(parts: readonly (string | Hole)[], pointer: string): Finding[] {
  let before = [''];
  const found: Finding[] = [];
  for (const part of parts) {
    const texts = typeof part === 'string' ? [part] : valuesOf(part);
    if (typeof part !== 'string' && before.some((text) => ARN.test(text))) {
      const place = PLACES[Math.min(...before.map(colons)) - 1];
      const isListedRegion = place === 'region' && part.rule.kind === 'listed';
      if (place !== undefined && !isListedRegion) {
        found.push(
          finding('MF210', pointer, `\`${part.parameter}\` reaches into the ${place} of an ARN; write that out`),
        );
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
