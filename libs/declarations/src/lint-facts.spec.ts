import { describe, expect, it } from '@jest/globals';
import { lintFactsOf } from './lint-facts.js';
import { providers } from './providers.fixture.js';

describe('lintFactsOf', () => {
  it('lintFactsOf knows that a provider content with an empty configuration needs no connection', () => {
    const needs = lintFactsOf(providers, []).providers.map(({ kind, needsConnection }) => [kind, needsConnection]);
    expect(needs).toEqual([
      ['database', true],
      ['token', false],
    ]);
  });
});
