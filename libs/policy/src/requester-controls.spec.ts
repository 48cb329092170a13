import { describe, expect, it } from '@jest/globals';
import { Decision } from './decision.js';
import { judgeRequester, type DecisionInput } from './requester-controls.js';

interface Changes {
  readonly agent?: Partial<DecisionInput['agent']>;
  readonly runtime?: string;
  readonly requesters?: Partial<DecisionInput['template']['requesters']>;
}

function inputWith({ agent = {}, runtime = 'cluster', requesters = {} }: Changes = {}): DecisionInput {
  return {
    agent: { name: 'support-agent', state: 'active', labels: { duty: 'support', region: 'emea' }, ...agent },
    runtime,
    template: {
      name: 'read-cases',
      version: 1,
      requesters: { agents: { duty: 'support' }, runtimes: ['cluster', 'laptop'], ...requesters },
    },
  };
}

const CONTROLS = ['agent-lifecycle', 'template-requesters', 'runtime-boundary'];

const decide = (input: DecisionInput): Decision => Decision.of(judgeRequester(input));
const evaluated = ({ trace }: Decision) => trace.filter(({ outcome }) => outcome !== 'not_evaluated');

describe('judgeRequester', () => {
  it('judgeRequester permits what every control permits, and shows each verdict in order', () => {
    const decision = decide(inputWith());
    expect(decision.permitted).toBe(true);
    expect(evaluated(decision)).toEqual(CONTROLS.map((control) => ({ control, outcome: 'permit' })));
  });

  it.each<[string, string, Changes]>([
    ['a suspended agent', 'agent-lifecycle', { agent: { state: 'suspended' } }],
    ['a retired agent', 'agent-lifecycle', { agent: { state: 'retired' } }],
    ['an agent that is only registered', 'agent-lifecycle', { agent: { state: 'registered' } }],
    ['a state that nobody knows', 'agent-lifecycle', { agent: { state: 'ACTIVE' } }],
    ['an agent without the label', 'template-requesters', { agent: { labels: {} } }],
    ['an agent with another value', 'template-requesters', { agent: { labels: { duty: 'sales' } } }],
    [
      'an agent that lacks one of two labels',
      'template-requesters',
      { requesters: { agents: { duty: 'support', team: 'crm' } } },
    ],
    ['a label that every object has', 'template-requesters', { requesters: { agents: { constructor: 'object' } } }],
    ['another runtime', 'runtime-boundary', { runtime: 'ci' }],
    ['a runtime that only begins alike', 'runtime-boundary', { runtime: 'clust' }],
    ['a template that allows no runtime', 'runtime-boundary', { requesters: { runtimes: [] } }],
  ])('judgeRequester denies %s by %s, and shows the whole trace', (_, control, changes) => {
    const decision = decide(inputWith(changes));
    const { permitted, refusal } = decision;
    const trace = evaluated(decision);
    expect(permitted).toBe(false);
    expect(refusal).toMatchObject({ control, outcome: 'deny', detail: expect.any(String), help: expect.any(String) });
    expect(trace.map((verdict) => verdict.control)).toEqual(CONTROLS);
    expect(trace.filter(({ outcome }) => outcome === 'deny')).toEqual([refusal]);
  });

  it('judgeRequester names the first control that denies when several do', () => {
    const decision = decide(inputWith({ agent: { state: 'suspended', labels: {} }, runtime: 'ci' }));
    expect(decision.refusal?.control).toBe('agent-lifecycle');
    expect(evaluated(decision).map(({ outcome }) => outcome)).toEqual(['deny', 'deny', 'deny']);
  });

  it('judgeRequester needs every label of the template and minds no others', () => {
    const agents = { duty: 'support', region: 'emea' };
    expect(decide(inputWith({ requesters: { agents } })).permitted).toBe(true);
  });
});
