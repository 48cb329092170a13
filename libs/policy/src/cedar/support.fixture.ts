import type { DeclaredPolicy } from './policies-in-force.js';
import { PoliciesInForce } from './policies-in-force.js';
import { PolicyEngine } from './policy-engine.js';
import type { PolicyInput } from './policy-input.js';

/** One engine for a whole spec file: loading Cedar costs more than everything that the specs ask it. */
export const engine = new PolicyEngine();

type Changes = Partial<Omit<PolicyInput, 'agent' | 'template'>> & {
  readonly agent?: Partial<PolicyInput['agent']>;
  readonly template?: Partial<PolicyInput['template']>;
};

/** Returns the inputs of a usual request with changes. */
export function inputOf({ agent, template, ...changes }: Changes = {}): PolicyInput {
  return {
    ...{ action: 'request', phase: 'request', at: new Date('2026-12-01T12:00:00Z'), approvals: 0, treeDepth: 0 },
    ...changes,
    agent: {
      ...{ name: 'support-agent', labels: { duty: 'support' }, runtime: 'cluster', issuer: 'cluster' },
      ...agent,
    },
    template: {
      ...{ name: 'read-cases', version: 1, owner: 'support-platform', labels: { 'data-class': 'internal' } },
      ...{ connections: ['crm'], providers: ['postgres'] },
      ...template,
    },
  };
}

/** Puts documents in force: texts of policies by document and id. */
export function inForce(
  documents: Readonly<Record<string, Readonly<Record<string, string>>>>,
  of: PolicyEngine = engine,
  reported: unknown[] = [],
): PoliciesInForce {
  const policies = Object.entries(documents).map(([name, texts]): DeclaredPolicy => ({
    name,
    spec: { policies: texts },
  }));
  return new PoliciesInForce(of, { policies }, (error) => reported.push(error));
}
