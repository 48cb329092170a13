import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DecisionPoint, type DecisionPointKind, type DecisionQuestion } from './decision-point.js';

const QUESTION: DecisionQuestion = {
  action: 'request',
  agent: { name: 'support-agent', labels: { team: 'support' }, runtime: 'k8s-prod', issuer: 'cluster', subject: 'sa' },
  template: { name: 'read-cases', version: 3, owner: 'support' },
  context: { purpose: 'answer ticket 4711', ttlSeconds: 900 },
};

async function judge(kind: DecisionPointKind, answer: unknown) {
  const reports: string[] = [];
  const asked: unknown[] = [];
  const ask = (body: unknown) => {
    asked.push(body);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const verdict = await new DecisionPoint(kind, ask, ({ message }) => reports.push(message)).judge(QUESTION);
  return { verdict, reports, asked };
}

describe('a decision point', () => {
  it.each([
    ['authzen', { decision: true }, {}],
    ['authzen', { decision: true, context: { reason: 'x' } }, {}],
    ['opa', { result: true }, {}],
    ['opa', { result: { allow: true }, decision_id: 'a1-b2' }, { id: 'a1-b2' }],
    ['opa', { result: true, decision_id: 'no id\n' }, {}],
  ] as const)('a decision point of kind %s permits with %j', async (kind, answer, id) => {
    const { verdict, reports } = await judge(kind, answer);
    expect(verdict).toEqual({ control: 'decision-point', outcome: 'permit', evidence: { kind, ...id } });
    expect(reports).toEqual([]);
  });

  it.each([
    ['authzen', { decision: false }],
    ['authzen', { decision: false, context: { reason_admin: { en: 'canary' } } }],
    ['opa', { result: false }],
    ['opa', { result: { allow: false, reason: 'canary' } }],
  ] as const)('a decision point of kind %s denies with %j, and its words reach nobody', async (kind, answer) => {
    const { verdict, reports } = await judge(kind, answer);
    expect(verdict).toMatchObject({ outcome: 'deny', detail: expect.stringContaining('denied'), evidence: { kind } });
    expect(JSON.stringify(verdict)).not.toContain('canary');
    expect(reports).toEqual([]);
  });

  it.each([
    ...[undefined, null, true, 'true', 1, [], {}, [true], new Error('answered with status 301')].map(
      (answer) => ['authzen', answer] as const,
    ),
    ...[{ decision: 'true' }, { decision: 1 }, { decision: null }, { decision: [true] }, { result: true }].map(
      (answer) => ['authzen', answer] as const,
    ),
    ['authzen', { decision: false, context: { error: { status: 400, message: 'unknown type' } } }],
    // A wrong path, a rule without a value and a division by zero look like this.
    ['opa', {}],
    ...[null, true, { decision: true }, { result: 'true' }, { result: {} }, { result: { allow: 'yes' } }].map(
      (answer) => ['opa', answer] as const,
    ),
    ...[{ result: [true] }, { result: null }, new Error('did not answer in time')].map(
      (answer) => ['opa', answer] as const,
    ),
    ['opa', { result: true, warning: { code: 'api_usage_warning', message: "'input' key missing from the request" } }],
  ] as const)(
    'a decision point of kind %s that answers %j gave no decision, which denies and is reported',
    async (kind, answer) => {
      const { verdict, reports } = await judge(kind, answer);
      expect(verdict).toMatchObject({ outcome: 'deny', detail: expect.stringContaining('gave no decision') });
      expect(reports).toHaveLength(1);
    },
  );

  it('a decision point permits for nothing but a clear permit, whatever it answers', async () => {
    const kinds = fc.constantFrom<DecisionPointKind>('authzen', 'opa');
    await fc.assert(
      fc.asyncProperty(kinds, fc.anything(), async (kind, answer) => {
        const { verdict } = await judge(kind, answer);
        const { decision, result, warning } = (Object(answer) ?? {}) as Record<string, unknown>;
        const allow = typeof result === 'object' && result !== null ? (result as { allow?: unknown }).allow : result;
        const clear = kind === 'authzen' ? decision === true : allow === true && warning === undefined;
        if (verdict.outcome === 'permit') expect(clear).toBe(true);
      }),
    );
  });

  it('a decision point is asked about subject, action, resource and context; OPA finds them below `input`', async () => {
    const question = {
      subject: {
        ...{ type: 'agent', id: 'support-agent' },
        properties: { labels: { team: 'support' }, runtime: 'k8s-prod', issuer: 'cluster', subject: 'sa' },
      },
      action: { name: 'request' },
      resource: { type: 'task_template', id: 'read-cases', properties: { version: 3, owner: 'support' } },
      context: { purpose: 'answer ticket 4711', ttlSeconds: 900 },
    };
    expect((await judge('authzen', { decision: true })).asked).toEqual([question]);
    expect((await judge('opa', { result: true })).asked).toEqual([{ input: question }]);
  });
});
