import { describe, expect, it } from '@jest/globals';
import { digestOf } from '@mayfly/kernel';
import { CompiledTemplate } from './compiled-template.js';
import { refusalOf } from './refusal.fixture.js';
import { supportReadCases } from './support-read-cases.fixture.js';
import type { TaskTemplateSpec } from './task-template.schema.js';

const compile = (spec: TaskTemplateSpec) =>
  new CompiledTemplate({ name: 'support-read-cases', version: 3, spec, digest: digestOf(spec), labels: {} });

describe('CompiledTemplate', () => {
  const spec = supportReadCases();
  const token = { name: 'api', provider: 'signed-token', scope: { audience: 'https://cases.example' } };

  it('CompiledTemplate renders each credential in order, with its connection when it has one', () => {
    const template = compile({ ...spec, credentials: [...spec.credentials, token] });
    const [db, api] = template.renderScopes(template.validate({ region: 'apac' }));
    expect(db).toEqual({
      name: 'db',
      provider: 'postgres',
      connection: 'crm',
      scope: { grants: [{ schema: 'apac', tables: ['customers', 'cases'], verbs: ['select'] }] },
      digest: digestOf({ grants: [{ schema: 'apac', tables: ['customers', 'cases'], verbs: ['select'] }] }),
    });
    expect(api).toEqual({ ...token, digest: digestOf(token.scope) });
  });

  it('CompiledTemplate refuses parameters that its version does not take', () => {
    expect(refusalOf(() => compile(spec).validate({ region: 'hr' })).code).toBe('invalid_parameters');
  });

  it.each([
    ['parameters', { ...spec, parameters: { type: 'object' } }],
    ['a scope', { ...spec, credentials: [{ ...token, scope: { audience: { $param: 'nobody' } } }] }],
  ])('CompiledTemplate does not come into being when %s does not compile', (_, broken) => {
    expect(refusalOf(() => compile(broken)).code).toBe('invalid_template');
  });
});
