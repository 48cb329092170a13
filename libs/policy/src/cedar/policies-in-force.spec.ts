import { describe, expect, it } from '@jest/globals';
import { judgePolicy } from './policy-verdict.js';
import { type DeclaredPolicy, PoliciesInForce } from './policies-in-force.js';
import { PolicyEngine } from './policy-engine.js';
import type { PolicyInput } from './policy-input.js';
import { loadCedar } from './cedar-loader.js';
import { engine, inForce, inputOf } from './support.fixture.js';

const PERMIT = 'permit(principal, action, resource);';
const FORBID = 'forbid(principal, action, resource);';
const OVERFLOWS = 'context.treeDepth + 9223372036854775807 > 0';
const decide = (documents: Parameters<typeof inForce>[0], input: PolicyInput = inputOf()) =>
  inForce(documents).decide(input);

describe('PoliciesInForce', () => {
  it('PoliciesInForce permits without policies, and does not load Cedar for that', () => {
    const own = new PolicyEngine();
    const policies = inForce({ empty: {} }, own);
    policies.prepare();
    expect(policies.decide(inputOf())).toEqual({
      ...{ outcome: 'permit', reason: 'no-policy', policies: [], obligations: {} },
    });
    expect(own.isLoaded).toBe(false);
    expect(judgePolicy(policies.decide(inputOf()))).toEqual({ control: 'policy', outcome: 'permit' });
  });

  it('PoliciesInForce loads Cedar when a policy comes into force, before a request needs it', () => {
    const own = new PolicyEngine();
    inForce({ one: { all: PERMIT } }, own).prepare();
    expect(own.isLoaded).toBe(true);
  });

  it('PoliciesInForce permits what nothing forbids, when only forbids are declared', () => {
    const documents = { guard: { deep: 'forbid(principal, action, resource) when { context.treeDepth > 2 };' } };
    expect(decide(documents)).toMatchObject({ outcome: 'permit', reason: 'permitted', policies: [] });
    expect(decide(documents, inputOf({ treeDepth: 3 }))).toMatchObject({
      ...{ outcome: 'deny', reason: 'forbidden', policies: ['Policy/guard/deep'] },
    });
  });

  it('PoliciesInForce takes the permits of a document as its allow-list for the actions and the template that they name', () => {
    const documents = {
      ci: { only: 'permit(principal, action == Action::"request", resource) when { principal.runtime == "ci" };' },
    };
    expect(decide(documents)).toMatchObject({ outcome: 'deny', reason: 'not-permitted', policies: ['Policy/ci/only'] });
    expect(decide(documents, inputOf({ agent: { runtime: 'ci' } }))).toMatchObject({
      ...{ outcome: 'permit', policies: ['Policy/ci/only'] },
    });
    expect(decide(documents, inputOf({ action: 'renew', phase: 'renew' }))).toMatchObject({ outcome: 'permit' });
    const other = {
      one: {
        only: 'permit(principal, action, resource in Template::"other") when { false || context.treeDepth > 9 };',
      },
    };
    expect(decide(other)).toMatchObject({ outcome: 'permit', reason: 'no-policy' });
    expect(decide(other, inputOf({ template: { name: 'other' } }))).toMatchObject({ reason: 'not-permitted' });
  });

  it('a permit of one document opens nothing that another document, or the template, keeps closed', () => {
    const documents = {
      security: { cluster: 'permit(principal, action, resource) when { principal.runtime == "cluster" };' },
      team: { anybody: PERMIT },
    };
    expect(decide(documents)).toMatchObject({ outcome: 'permit' });
    const onLaptop = inputOf({ agent: { runtime: 'laptop' } });
    expect(decide(documents, onLaptop)).toMatchObject({ outcome: 'deny', policies: ['Policy/security/cluster'] });
    const conditions = { shallow: 'permit(principal, action, resource) when { context.treeDepth == 0 };' };
    const policies = inForce({ team: { anybody: PERMIT } });
    expect(policies.decide(inputOf(), { conditions }).outcome).toBe('permit');
    expect(policies.decide(inputOf({ treeDepth: 1 }), { conditions })).toMatchObject({
      ...{ outcome: 'deny', reason: 'not-permitted', policies: ['TaskTemplate/read-cases/shallow'] },
    });
  });

  it('a forbid that cannot be evaluated denies, although Cedar would leave it out', () => {
    const documents = {
      team: { anybody: PERMIT },
      guard: { overflow: `forbid(principal, action, resource) when { ${OVERFLOWS} };` },
    };
    const reported: unknown[] = [];
    const verdict = inForce(documents, engine, reported).decide(inputOf({ treeDepth: 1 }));
    expect(verdict).toMatchObject({ outcome: 'deny', reason: 'error', policies: ['Policy/guard/overflow'] });
    expect(String(reported[0])).toContain('Policy/guard/overflow');
    expect(judgePolicy(verdict)).toMatchObject({ control: 'policy', outcome: 'deny' });
  });

  it('a permit that cannot be evaluated denies too, whatever else permits', () => {
    const documents = { team: { anybody: PERMIT, odd: `permit(principal, action, resource) when { ${OVERFLOWS} };` } };
    expect(decide(documents, inputOf({ treeDepth: 1 }))).toMatchObject({ outcome: 'deny', reason: 'error' });
  });

  it.each<[string, PolicyInput]>([
    ['a number that is no whole one', inputOf({ treeDepth: 1.5 })],
    ['a number beyond 2^53, whose value Cedar would change', inputOf({ usesLeft: 2 ** 53 })],
    ['a number that is none', inputOf({ approvals: Number.NaN })],
    ['a lone surrogate', inputOf({ agent: { issuer: '\ud800' } })],
    [
      'over 32 KiB of inputs',
      inputOf({ template: { connections: Array.from({ length: 999 }, (_, n) => `c${String(n)}`.padEnd(60, 'x')) } }),
    ],
    ['an instant that is none', inputOf({ at: new Date(Number.NaN) })],
    ['an action that the schema lacks', inputOf({ action: 'publish' as never })],
    ['an operation without its target', inputOf({ action: 'operate', phase: 'operate' })],
  ])('PoliciesInForce denies inputs with %s', (_, input) => {
    expect(decide({ one: { all: PERMIT } }, input)).toMatchObject({ outcome: 'deny', reason: 'error' });
  });

  it('PoliciesInForce decides an operation within its target and its template', () => {
    const documents = {
      crm: {
        'no-deletes':
          'forbid(principal, action == Action::"operate", resource in Target::"crm") when { resource.name == "delete" };',
      },
    };
    const operate = (name: string, target: string) =>
      inputOf({ action: 'operate', phase: 'operate', operation: { name, target } });
    expect(decide(documents, operate('delete', 'crm')).outcome).toBe('deny');
    expect(decide(documents, operate('select', 'crm')).outcome).toBe('permit');
    expect(decide(documents, operate('delete', 'billing')).outcome).toBe('permit');
    const named = {
      t: { none: 'forbid(principal, action == Action::"operate", resource in Template::"read-cases");' },
    };
    expect(decide(named, operate('select', 'crm')).outcome).toBe('deny');
  });

  it('PoliciesInForce denies everything while a stored document cannot be read, and names it', () => {
    const declared: DeclaredPolicy[] = [
      { name: 'fine', spec: { policies: { all: PERMIT } } },
      { name: 'broken', spec: undefined },
      { name: 'old', spec: { policies: { gone: 'permit(principal, action' } } },
    ];
    const policies = new PoliciesInForce(engine, { policies: declared }, () => undefined);
    expect(policies.decide(inputOf())).toMatchObject({
      ...{ outcome: 'deny', reason: 'error', policies: ['Policy/broken', 'Policy/old'] },
    });
  });

  it('PoliciesInForce denies with a set of over 100 policies, and with conditions that cannot be read', () => {
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`p${String(n)}`, PERMIT]));
    expect(decide({ many })).toMatchObject({ outcome: 'deny', reason: 'error' });
    expect(inForce({}).decide(inputOf(), { conditions: { odd: 'permit(' } })).toMatchObject({ reason: 'error' });
  });

  it('PoliciesInForce denies when Cedar cannot be loaded, and when it throws', () => {
    const absent = new PolicyEngine(() => {
      throw new Error('no such module');
    });
    expect(inForce({ one: { all: PERMIT } }, absent).decide(inputOf())).toMatchObject({ reason: 'error' });
    const throwing = new PolicyEngine(() => ({
      ...loadCedar(),
      statefulIsAuthorized: () => {
        throw new TypeError('unknown field');
      },
    }));
    expect(inForce({ one: { all: PERMIT } }, throwing).decide(inputOf())).toMatchObject({ reason: 'error' });
  });

  it('PoliciesInForce denies an answer that is a failure', () => {
    const failing = new PolicyEngine(() => ({
      ...loadCedar(),
      statefulIsAuthorized: () => ({ type: 'failure', errors: [], warnings: [] }),
    }));
    expect(inForce({ one: { all: PERMIT } }, failing).decide(inputOf())).toMatchObject({ reason: 'error' });
  });

  it('PoliciesInForce follows each change of the documents, with the switches that they declare', () => {
    const source: { policies: readonly DeclaredPolicy[] } = { policies: [] };
    const policies = new PoliciesInForce(engine, source, () => undefined);
    const guard = {
      name: 'guard',
      spec: { policies: { freeze: 'forbid(principal, action, resource) when { context.environment.freeze };' } },
    };
    expect(policies.decide(inputOf()).reason).toBe('no-policy');
    source.policies = [guard];
    const calm = policies.decide(inputOf());
    source.policies = [guard, { name: 'now', spec: { environment: { freeze: true }, policies: {} } }];
    const frozen = policies.decide(inputOf());
    expect([calm.outcome, frozen.outcome]).toEqual(['permit', 'deny']);
    expect(calm.policyDigest).not.toBe(frozen.policyDigest);
    source.policies = [guard];
    expect(policies.decide(inputOf())).toEqual(calm);
  });

  it('PoliciesInForce keeps more templates than there are slots apart, with the same names for their sets', () => {
    const names: string[] = [];
    const counting = new PolicyEngine(() => {
      const cedar = loadCedar();
      return {
        ...cedar,
        preparsePolicySet: (name, set) => {
          names.push(name);
          return cedar.preparsePolicySet(name, set);
        },
      };
    });
    const policies = inForce({}, counting);
    const conditions = Array.from({ length: 300 }, (_, n) => ({
      own: n % 2 === 0 ? `${FORBID} // ${String(n)}` : `${PERMIT} // ${String(n)}`,
    }));
    for (let round = 0; round < 2; round += 1)
      conditions.forEach((own, n) => {
        const verdict = policies.decide(inputOf({ template: { name: `t-${String(n)}` } }), { conditions: own });
        expect(verdict.outcome).toBe(n % 2 === 0 ? 'deny' : 'permit');
      });
    expect(names.length).toBeGreaterThan(300);
    expect(new Set(names).size).toBe(256);
  });

  it('obligations of every permit that matches are granted within the least of each', () => {
    const documents = {
      a: { short: `@shorterLifeSeconds("300") @fewerConcurrentTasks("9") ${PERMIT}` },
      b: {
        shorter: `@shorterLifeSeconds("60") @fewerTasksPerMinute("5") ${PERMIT}`,
        never: `@shorterLifeSeconds("1") permit(principal, action, resource) when { context.treeDepth > 0 };`,
      },
    };
    expect(decide(documents)).toMatchObject({
      ...{ outcome: 'permit', policies: ['Policy/a/short', 'Policy/b/shorter'] },
      obligations: { lifeSeconds: 60, concurrentTasks: 9, tasksPerMinute: 5 },
    });
    expect(decide(documents, inputOf({ treeDepth: 1 })).obligations.lifeSeconds).toBe(1);
  });

  it('a denial shows the reasons of its policies, sorted, once each', () => {
    const documents = {
      b: { two: `@reason("ask the owner") ${FORBID}` },
      a: { one: `@reason("ask security") ${FORBID}`, three: `@reason("ask the owner") ${FORBID}` },
    };
    for (let round = 0; round < 20; round += 1) {
      const verdict = decide(documents);
      expect(verdict.policies).toEqual(['Policy/a/one', 'Policy/a/three', 'Policy/b/two']);
      expect(judgePolicy(verdict)).toMatchObject({
        ...{ outcome: 'deny', help: 'ask security; ask the owner' },
        detail: 'policy `Policy/a/one`, `Policy/a/three`, `Policy/b/two` forbids the request',
        evidence: { reason: 'forbidden', policyDigest: verdict.policyDigest },
      });
    }
  });
});

/** A sequence that looks random and is the same in each run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const CONDITIONS = [
  'principal.runtime == "ci"',
  'principal.runtime == "cluster"',
  'context.treeDepth > 0',
  'context.dataClass == "restricted"',
  'principal.hasTag("duty") && principal.getTag("duty") == "support"',
  'context.connections.contains("billing")',
  'resource in Template::"read-cases"',
  OVERFLOWS,
  'context has usesLeft && context.usesLeft > 2',
];
const SCOPES = [
  'principal, action, resource',
  'principal, action == Action::"request", resource',
  'principal, action in [Action::"renew", Action::"request"], resource',
  'principal, action, resource in Template::"read-cases"',
  'principal, action, resource in Template::"write-cases"',
];

type Documents = Record<string, Record<string, string>>;

function generated(pick: (below: number) => number): Documents {
  const documents: Documents = {};
  for (let n = pick(3) + 1; n > 0; n -= 1) {
    const policies: Record<string, string> = {};
    for (let p = pick(3) + 1; p > 0; p -= 1) {
      const effect = pick(2) === 0 ? 'permit' : 'forbid';
      const life = effect === 'permit' && pick(3) === 0 ? `@shorterLifeSeconds("${String(pick(900) + 1)}") ` : '';
      policies[`p${String(p)}`] =
        `${life}${effect}(${SCOPES[pick(SCOPES.length)] ?? ''}) when { ${CONDITIONS[pick(CONDITIONS.length)] ?? ''} };`;
    }
    documents[`d${String(n)}`] = policies;
  }
  return documents;
}

function generatedInput(pick: (below: number) => number): PolicyInput {
  const action = (['request', 'renew', 'delegate'] as const)[pick(3)] ?? 'request';
  return inputOf({
    ...{ action, phase: action, treeDepth: pick(2) },
    ...(pick(2) === 0 ? { usesLeft: pick(5) } : {}),
    agent: { runtime: ['ci', 'cluster', 'laptop'][pick(3)] ?? 'ci', labels: pick(2) === 0 ? { duty: 'support' } : {} },
    template: {
      name: ['read-cases', 'write-cases', 'other'][pick(3)] ?? 'other',
      labels: pick(2) === 0 ? { 'data-class': 'restricted' } : {},
      connections: pick(2) === 0 ? ['billing'] : ['crm'],
    },
  });
}

describe('the decision of many documents', () => {
  it('the decision of many documents permits nothing that one of them alone denies, with obligations within those of each', () => {
    const pick = randomOf(20_261_202);
    const seen = { permit: 0, deny: 0 };
    for (let round = 0; round < 40; round += 1) {
      const documents = generated(pick);
      const whole = inForce(documents);
      const alone = Object.entries(documents).map(([name, texts]) => inForce({ [name]: texts }));
      for (let asked = 0; asked < 6; asked += 1) {
        const input = generatedInput(pick);
        const together = whole.decide(input);
        const apart = alone.map((one) => one.decide(input));
        seen[together.outcome] += 1;
        expect(together.outcome).toBe(apart.every(({ outcome }) => outcome === 'permit') ? 'permit' : 'deny');
        if (together.outcome === 'deny') continue;
        for (const { obligations } of apart)
          if (obligations.lifeSeconds !== undefined)
            expect(together.obligations.lifeSeconds).toBeLessThanOrEqual(obligations.lifeSeconds);
      }
    }
    expect(Math.min(seen.permit, seen.deny)).toBeGreaterThan(25);
  });

  it('the decision of many documents is the same in every order of documents and policies, to the byte', () => {
    const pick = randomOf(4_711);
    for (let round = 0; round < 15; round += 1) {
      const documents = generated(pick);
      const reversed = Object.fromEntries(
        Object.entries(documents)
          .reverse()
          .map(([name, texts]) => [name, Object.fromEntries(Object.entries(texts).reverse())]),
      );
      const [one, other] = [inForce(documents), inForce(reversed)];
      for (let asked = 0; asked < 5; asked += 1) {
        const input = generatedInput(pick);
        expect(JSON.stringify(other.decide(input))).toBe(JSON.stringify(one.decide(input)));
      }
    }
  });

  it('one more document, whatever it says, never turns a denial into a permit', () => {
    const pick = randomOf(99);
    for (let round = 0; round < 15; round += 1) {
      const documents = generated(pick);
      const { d1: added = {} } = generated(pick);
      const [before, after] = [inForce(documents), inForce({ ...documents, added })];
      for (let asked = 0; asked < 5; asked += 1) {
        const input = generatedInput(pick);
        if (before.decide(input).outcome === 'deny') expect(after.decide(input).outcome).toBe('deny');
      }
    }
  });
});
