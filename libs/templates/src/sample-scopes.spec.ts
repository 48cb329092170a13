import { describe, expect, it } from '@jest/globals';
import { sampleScopes } from './sample-scopes.js';
import { supportReadCases } from './support-read-cases.fixture.js';

describe('the sample of a scope', () => {
  it('the sample of a scope is one rendering of each credential, with its place', () => {
    const [sample, ...others] = sampleScopes(supportReadCases());
    expect(others).toEqual([]);
    expect(sample).toMatchObject({ credential: { name: 'db' }, pointer: '/credentials/0/scope' });
    expect(sample?.scope).toEqual({
      grants: [{ schema: 'emea', tables: ['customers', 'cases'], verbs: ['select'] }],
    });
  });

  it('the sample of a scope is left out where the spec does not compile, or no value can be guessed', () => {
    expect(sampleScopes(supportReadCases({ parameters: { type: 'array' } }))).toEqual([]);
    const parameters = {
      type: 'object',
      properties: { region: { type: 'string', pattern: '^zz[0-9]{7}$' } },
      required: ['region'],
      additionalProperties: false,
    };
    expect(sampleScopes(supportReadCases({ parameters }))).toEqual([]);
  });
});
