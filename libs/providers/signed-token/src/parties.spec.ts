import { describe, expect, it } from '@jest/globals';
import type { AgentId } from '@mayfly/kernel';
import { partiesOf } from './parties.js';

const agent = { id: 'agt_writer' as AgentId, name: 'writer' };
const actors = (...names: string[]): AgentId[] => names.map((name) => `agt_${name}` as const);

describe('partiesOf', () => {
  it('partiesOf names the agent alone in a task that nobody handed on', () => {
    expect(partiesOf({ agent })).toEqual({ sub: 'agt_writer' });
  });

  it.each([
    [actors('searcher'), { sub: 'agt_searcher', act: { sub: 'agt_writer' } }],
    [actors('searcher', 'analyst'), { sub: 'agt_searcher', act: { sub: 'agt_writer', act: { sub: 'agt_analyst' } } }],
    [
      actors('searcher', 'analyst', 'editor'),
      { sub: 'agt_searcher', act: { sub: 'agt_writer', act: { sub: 'agt_editor', act: { sub: 'agt_analyst' } } } },
    ],
  ])('partiesOf nests those between in %j, the latest outermost', (chain, expected) => {
    expect(partiesOf({ agent, actors: chain })).toEqual(expected);
  });
});
