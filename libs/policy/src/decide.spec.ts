import { describe, expect, it } from '@jest/globals';
import type { DecisionInput } from './control.js';
import { decide } from './decide.js';

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

describe('decide', () => {
  it('permits what every control permits, and shows each verdict in order', () => {
    expect(decide(inputWith())).toEqual({
      permitted: true,
      trace: CONTROLS.map((control) => ({ control, outcome: 'permit' })),
    });
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
  ])('denies %s by %s, and shows the whole trace', (_, control, changes) => {
    const { permitted, trace, refusal } = decide(inputWith(changes));
    expect(permitted).toBe(false);
    expect(refusal).toMatchObject({ control, outcome: 'deny', detail: expect.any(String), help: expect.any(String) });
    expect(trace.map((verdict) => verdict.control)).toEqual(CONTROLS);
    expect(trace.filter(({ outcome }) => outcome === 'deny')).toEqual([refusal]);
  });

  it('names the first control that denies when several do', () => {
    const { refusal, trace } = decide(inputWith({ agent: { state: 'suspended', labels: {} }, runtime: 'ci' }));
    expect(refusal?.control).toBe('agent-lifecycle');
    expect(trace.map(({ outcome }) => outcome)).toEqual(['deny', 'deny', 'deny']);
  });

  it('needs every label of the template and minds no others', () => {
    const agents = { duty: 'support', region: 'emea' };
    expect(decide(inputWith({ requesters: { agents } })).permitted).toBe(true);
  });
});
