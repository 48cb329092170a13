import { describe, expect, it } from '@jest/globals';
import { templateOf } from '@mayfly/testing';
import { permittedTemplates } from './permitted-templates.js';

const { version: template } = templateOf({});
const { agents, runtimes } = template.spec.requesters;
const requester = {
  agent: { name: 'support-agent', state: 'active', labels: agents },
  runtime: runtimes[0] ?? '',
};

describe('the templates of an agent', () => {
  it('include a template for its labels and its runtime', () => {
    expect(permittedTemplates([template], requester)).toEqual([template]);
  });

  it.each([
    ['another runtime', { ...requester, runtime: 'elsewhere' }],
    ['other labels', { ...requester, agent: { ...requester.agent, labels: {} } }],
    ['a suspended agent', { ...requester, agent: { ...requester.agent, state: 'suspended' } }],
  ])('the permitted templates do not include it for %s', (_, other) => {
    expect(permittedTemplates([template], other)).toEqual([]);
  });
});
