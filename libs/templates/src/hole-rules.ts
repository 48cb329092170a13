import { below } from './json-pointer.js';
import type { LintFacts } from './lint-facts.js';
import { finding, type Finding } from './rule.js';
import { holesOf, type ScopeMember, type ScopeNode } from './scope-node.js';

/** The providers' rules on holes. */
export interface HoleRules extends Pick<LintFacts, 'faultsOfText'> {
  /** true when no free parameter may fill this member */
  isAuthored(key: string, members: readonly ScopeMember[]): boolean;
}

/**
 * Rules MF210 and MF211. MF210: a hole stands inside a text that a provider, which knows its grammar, wants written
 * out. MF211: a free parameter fills a member that the provider reserves for the author (actions, effects, roles).
 */
export function checkHoles(root: ScopeNode, rules: HoleRules, pointer: string): Finding[] {
  switch (root.kind) {
    case 'fixed':
    case 'hole':
      return [];
    case 'join':
      return rules.faultsOfText(root.parts).map((detail) => finding('MF210', pointer, detail));
    case 'list':
      return root.items.flatMap((item, index) => checkHoles(item, rules, below(pointer, index)));
    case 'map':
      return root.members.flatMap(([key, member]) => {
        const place = below(pointer, key);
        const faults = rules.isAuthored(key, root.members) ? authoredFaults(key, member, place) : [];
        return [...faults, ...checkHoles(member, rules, place)];
      });
  }
}

function authoredFaults(key: string, member: ScopeNode, pointer: string): Finding[] {
  const free = holesOf(member).find(({ rule }) => rule.kind === 'free');
  if (free === undefined) return [];
  const detail = `\`${free.parameter}\` is unrestricted and sets \`${key}\`; list its values with \`enum\``;
  return [finding('MF211', pointer, detail)];
}
