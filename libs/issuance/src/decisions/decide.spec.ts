import { describe, expect, it } from '@jest/globals';
import { ProviderRegistry } from '@mayfly/credentials';
import { canonicalJson, type Json } from '@mayfly/kernel';
import { PolicyEngine } from '@mayfly/policy';
import type { TaskTemplateSpec } from '@mayfly/templates';
import { FakeTaskStores, IssuanceService } from '@mayfly/testing';
import { decide } from './decide.js';
import {
  DELEGATION,
  DELEGATION_FLIPS,
  type Flip,
  OWN_FLIPS,
  type PermittedCase,
  REQUEST_FLIPS,
  REQUESTS,
} from './decision-cases.fixture.js';
import type { DecisionInputs } from './decision-inputs.js';
import { replacedAt } from './pointer.js';

const deciders = {
  providers: new ProviderRegistry([{ provider: new IssuanceService(new FakeTaskStores()).dummy }]),
  policyEngine: new PolicyEngine(),
};

function flipped({ phase, inputs, spec }: PermittedCase, [pointer, value]: Flip) {
  const document = replacedAt({ ...inputs, spec }, pointer, value);
  const { spec: changed, ...others } = document as unknown as DecisionInputs & { spec: TaskTemplateSpec };
  return decide(phase, others, { spec: changed, policies: [] }, deciders);
}

const cases: [string, PermittedCase, Flip][] = [
  ...Object.entries(REQUESTS).flatMap(([name, permitted]) =>
    [...REQUEST_FLIPS, ...(OWN_FLIPS[name] ?? [])].map(
      (flip) => [name, permitted, flip] as [string, PermittedCase, Flip],
    ),
  ),
  ...DELEGATION_FLIPS.map((flip) => ['a delegation', DELEGATION, flip] as [string, PermittedCase, Flip]),
];

describe('a decision of stored inputs', () => {
  it('there are at least 300 cases, and each starts from inputs that are permitted', () => {
    expect(cases.length).toBeGreaterThanOrEqual(300);
    for (const { phase, inputs, spec } of [...Object.values(REQUESTS), DELEGATION])
      expect(decide(phase, inputs, { spec, policies: [] }, deciders).refusal).toBeUndefined();
  });

  it.each(
    cases.map(([name, permitted, flip]) => ({ name, permitted, flip, pointer: flip[0], to: flip[1], by: flip[2] })),
  )('a decision on $name with $pointer set to $to: $by', ({ permitted, flip, by }) => {
    const decision = flipped(permitted, flip);
    expect(decision.refusal?.control ?? 'permit').toBe(by);
    expect(canonicalJson(decision.verdicts as unknown as Json)).toBe(
      canonicalJson(flipped(permitted, flip).verdicts as unknown as Json),
    );
  });
});
