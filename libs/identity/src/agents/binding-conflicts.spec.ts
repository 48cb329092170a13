import { describe, expect, it } from '@jest/globals';
import type { AgentBinding } from './agent-binding.js';
import { findBindingConflicts } from './binding-conflicts.js';

type Declared = [agent: string, subject: string | undefined, more?: Partial<AgentBinding>];

function binding([agent, subject, more]: Declared): AgentBinding {
  return { agent, issuer: 'ci', subject, runtime: 'laptop', ...more };
}

describe('findBindingConflicts', () => {
  it.each<[string, Declared, Declared]>([
    ['one subject for two agents', ['one', 'a'], ['two', 'a']],
    ['one subject in two runtimes', ['one', 'a'], ['one', 'a', { runtime: 'ci' }]],
    ['one SPIFFE ID spelt twice', ['one', 'spiffe://prod.example/a'], ['two', 'SPIFFE://PROD.example/a']],
    ['equal patterns', ['one', 'a:*'], ['two', 'a:*']],
    ['patterns that cross', ['one', 'a:*:c'], ['two', 'a:b:*']],
    ['claims of which one has none', ['one', 'a', { claims: { env: 'prod' } }], ['two', 'a']],
    ['claims of other names', ['one', 'a', { claims: { env: 'x' } }], ['two', 'a', { claims: { ref: 'y' } }]],
    ['claims alone twice', ['one', undefined, { claims: { azp: 'x' } }], ['two', undefined, { claims: { azp: 'x' } }]],
    [
      'claims alone that one token can have',
      ['one', undefined, { claims: { azp: 'x' } }],
      ['two', undefined, { claims: { client_id: 'y' } }],
    ],
    [
      'claims alone in two runtimes',
      ['one', undefined, { claims: { azp: 'x' } }],
      ['one', undefined, { claims: { azp: 'x', env: 'prod' }, runtime: 'ci' }],
    ],
    ['a number and the same number', ['one', 'a', { claims: { id: 1 } }], ['two', 'a', { claims: { id: 1 } }]],
    ['the same claims', ['one', 'a', { claims: { env: 'x' } }], ['two', 'a', { claims: { env: 'x' } }]],
  ])('findBindingConflicts finds %s', (_, left, right) => {
    const [first, second] = [binding(left), binding(right)];
    expect(findBindingConflicts([first, binding(['three', 'other']), second])).toEqual([{ first, second }]);
  });

  it.each<[string, Declared, Declared]>([
    ['two subjects', ['one', 'a'], ['two', 'b']],
    ['two clients', ['one', undefined, { claims: { azp: 'x' } }], ['two', undefined, { claims: { azp: 'y' } }]],
    ['a subject beside claims alone', ['one', 'a'], ['two', undefined, { claims: { azp: 'x' } }]],
    ['a number and its text', ['one', 'a', { claims: { id: 1 } }], ['two', 'a', { claims: { id: '1' } }]],
    ['one subject of two issuers', ['one', 'a'], ['two', 'a', { issuer: 'cd' }]],
    ['the same binding twice', ['one', 'a'], ['one', 'a']],
    ['a subject within a pattern', ['one', 'a:b'], ['two', 'a:*']],
    ['patterns that never meet', ['one', 'a:*'], ['two', 'b:*']],
    ['patterns of other lengths', ['one', 'a:*'], ['two', 'a:*:c']],
    ['a claim that tells them apart', ['one', 'a', { claims: { env: 'x' } }], ['two', 'a', { claims: { env: 'y' } }]],
    [
      'a claim that tells patterns apart',
      ['one', 'a:*', { claims: { e: 'x' } }],
      ['two', 'a:*', { claims: { e: 'y' } }],
    ],
  ])('findBindingConflicts accepts %s', (_, left, right) => {
    expect(findBindingConflicts([binding(left), binding(right)])).toEqual([]);
  });

  it('findBindingConflicts finds what two documents of one issuer give to two agents', () => {
    const [first, second] = [binding(['one', 'a']), binding(['two', 'a', { issuer: 'ci-too' }])];
    expect(findBindingConflicts([first, second], () => 'https://ci.example')).toEqual([{ first, second }]);
  });
});
