import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { Json, JsonObject } from '@mayfly/kernel';
import { lintTemplate } from './lint.js';
import type { LintFacts } from './lint-facts.js';
import { RULES } from './rule.js';
import { lintFacts, supportReadCases } from './support-read-cases.fixture.js';
import type { TaskTemplateSpec } from './task-template.schema.js';

const base = supportReadCases();

const withScope = (scope: JsonObject): Partial<TaskTemplateSpec> => ({
  credentials: [
    { name: 'db', provider: 'postgres', connection: 'crm', scope: scope as TaskTemplateSpec['parameters'] },
  ],
});
const withProperties = (properties: JsonObject, scope: JsonObject): Partial<TaskTemplateSpec> => ({
  ...withScope(scope),
  parameters: { ...base.parameters, properties, required: Object.keys(properties) } as TaskTemplateSpec['parameters'],
});
const providers = (change: object) => ({
  providers: lintFacts().providers.map((provider) => ({ ...provider, ...change })),
});

interface Case {
  readonly breaks: string;
  readonly spec?: Partial<TaskTemplateSpec>;
  readonly facts?: Partial<LintFacts>;
  readonly at: string;
}

const region = { enum: ['emea', 'apac'] };
const cases: readonly Case[] = [
  { breaks: 'MF001', spec: { backupOwner: 'support-platform' }, at: '/backupOwner' },
  { breaks: 'MF002', spec: { lifetime: { defaultSeconds: 2000, maxSeconds: 1000 } }, at: '/lifetime/defaultSeconds' },
  { breaks: 'MF003', spec: { review: { by: 'security', everyDays: 181 } }, at: '/review/everyDays' },
  { breaks: 'MF101', spec: { parameters: { type: 'object' } }, at: '/parameters' },
  { breaks: 'MF102', spec: { parameters: { ...base.parameters, $defs: {} } }, at: '/parameters/$defs' },
  {
    breaks: 'MF103',
    spec: withProperties({ region: { type: 'string' } }, { a: 1 }),
    at: '/parameters/properties/region',
  },
  {
    breaks: 'MF104',
    spec: withProperties({ region: { type: 'string', pattern: 'a' } }, { a: 1 }),
    at: '/parameters/properties/region/pattern',
  },
  { breaks: 'MF105', spec: withProperties({ valueOf: region }, { a: 1 }), at: '/parameters/properties/valueOf' },
  {
    breaks: 'MF106',
    spec: withProperties({ region: { enum: [] } }, { a: 1 }),
    at: '/parameters/properties/region/enum',
  },
  { breaks: 'MF107', spec: { parameters: { ...base.parameters, required: ['nobody'] } }, at: '/parameters' },
  { breaks: 'MF108', spec: withScope({ a: 1 }), at: '/parameters/properties/region' },
  { breaks: 'MF201', spec: withScope({ a: { $param: 'nobody' } }), at: '/credentials/0/scope/a' },
  { breaks: 'MF202', spec: withScope({ a: { $if: 'x' } }), at: '/credentials/0/scope/a' },
  {
    breaks: 'MF203',
    spec: withProperties({ flag: { type: 'boolean' } }, { a: { $param: 'flag' } }),
    at: '/credentials/0/scope/a',
  },
  { breaks: 'MF204', spec: withScope({ a: [] }), at: '/credentials/0/scope/a' },
  { breaks: 'MF205', spec: withScope({ a: 'x\u0000' }), at: '/credentials/0/scope/a' },
  {
    breaks: 'MF206',
    spec: withProperties(
      { tenant: { type: 'string', maxLength: 9 } },
      { a: { $join: ['prod', { $param: 'tenant' }] } },
    ),
    at: '/credentials/0/scope/a/$join/1',
  },
  { breaks: 'MF207', spec: withScope({ a: ['*'] }), at: '/credentials/0/scope/a/0' },
  { breaks: 'MF208', spec: withScope({ a: 'arn:aws:s3:::crm/*' }), at: '/credentials/0/scope/a' },
  { breaks: 'MF209', spec: withScope({ a: 'x'.repeat(17_000) }), at: '/credentials/0/scope' },
  {
    breaks: 'MF210',
    spec: withProperties(
      { id: { type: 'string', maxLength: 12 } },
      { a: { $join: ['arn:aws:iam::', { $param: 'id' }, ':role/crm'] } },
    ),
    facts: { faultsOfText: () => ['`id` reaches into the account; write that out'] },
    at: '/credentials/0/scope/a',
  },
  {
    breaks: 'MF211',
    spec: withProperties(
      { id: { type: 'string', maxLength: 64 } },
      { Statement: [{ Action: { $join: ['s3:', { $param: 'id' }] } }] },
    ),
    facts: providers({ authoredMembers: ['Action'] }),
    at: '/credentials/0/scope/Statement/0/Action',
  },
  {
    breaks: 'MF212',
    facts: { readScope: () => [{ path: ['grants', 0, 'verbs'], kind: 'unbound', detail: 'say to whom' }] },
    at: '/credentials/0/scope/grants/0/verbs',
  },
  { breaks: 'MF301', facts: { providers: [] }, at: '/credentials/0/provider' },
  { breaks: 'MF302', facts: { connections: [] }, at: '/credentials/0/connection' },
  { breaks: 'MF303', facts: { connections: [{ name: 'crm', provider: 'vault' }] }, at: '/credentials/0/connection' },
  { breaks: 'MF304', facts: providers({ minTtlSeconds: 901 }), at: '/lifetime/defaultSeconds' },
  { breaks: 'MF305', facts: providers({ maxTtlSeconds: 900 }), at: '/lifetime/maxSeconds' },
  { breaks: 'MF306', facts: { validateScope: () => 'no such verb' }, at: '/credentials/0/scope' },
  {
    breaks: 'MF307',
    spec: withProperties({ id: { type: 'string', pattern: '^zz[0-9]{7}$' } }, { a: { $param: 'id' } }),
    at: '/parameters/properties/id',
  },
  { breaks: 'MF308', facts: providers({ revocation: 'expiry-only' }), at: '/credentials/0/provider' },
  { breaks: 'MF309', facts: says('error', 'the role is not on its list'), at: '/credentials/0/scope' },
  { breaks: 'MF310', facts: says('warning', 'open sessions are not ended'), at: '/credentials/0/scope' },
  {
    breaks: 'MF311',
    spec: { credentials: [{ ...base.credentials[0]!, probe: true }] },
    facts: { canUse: () => false },
    at: '/credentials/0/probe',
  },
  {
    breaks: 'MF312',
    spec: { quota: { ...base.quota, uses: 5 } },
    facts: { isCounted: () => false },
    at: '/credentials/0/connection',
  },
  {
    breaks: 'MF401',
    spec: { conditions: { odd: 'permit(' } },
    facts: { faultsOfConditions: () => [{ id: 'odd', detail: 'line 1, column 8: unexpected end' }] },
    at: '/conditions/odd',
  },
];

/** A connection with the same objection to every scope. */
function says(severity: 'error' | 'warning', detail: string): Partial<LintFacts> {
  return { inspectScope: () => [{ severity, detail }] };
}

const lint = ({ spec, facts }: Pick<Case, 'spec' | 'facts'>) => lintTemplate(supportReadCases(spec), lintFacts(facts));

describe('lintTemplate', () => {
  it('lintTemplate has no finding on a good template', () => {
    expect(lint({})).toEqual([]);
  });

  it.each(cases)('lintTemplate finds $breaks at $at', ({ breaks, at, ...broken }) => {
    const found = lint(broken).filter(({ rule }) => rule === breaks);
    expect(found).toEqual([
      { rule: breaks, severity: RULES[breaks as keyof typeof RULES], pointer: at, detail: expect.any(String) },
    ]);
  });

  it('lintTemplate has a case above for every rule', () => {
    expect(cases.map(({ breaks }) => breaks)).toEqual(Object.keys(RULES));
  });

  it('lintTemplate lists the same rules and severities as docs/template-rules.md', () => {
    const page = readFileSync(new URL('../../../docs/template-rules.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| *(MF\d{3}) *\| *(error|warning) *\|/gm)].map(([, rule, severity]) => [
      rule,
      severity,
    ]);
    expect(Object.fromEntries(rows)).toEqual(RULES);
  });

  it('lintTemplate asks for a connection where the provider works through one, and only there', () => {
    const unconnected = { name: 'db', provider: 'postgres', scope: { a: { $param: 'region' } } };
    expect(lint({ spec: { credentials: [unconnected] } }).map(({ rule }) => rule)).toContain('MF302');
    expect(lint({ spec: { credentials: [{ ...unconnected, provider: 'signed-token' }] } })).toEqual([]);
  });

  it.each(['a*', 'arn:aws:s3:::*', 'https://*.example', '/*', 'a/*/b', 'secret/+/x', '+', 'tab?e', '*:*', 'a/**'])(
    'lintTemplate refuses the wildcard in %s',
    (text) => {
      expect(lint({ spec: withScope({ a: text }) }).map(({ rule }) => rule)).toContain('MF207');
      expect(lint({ spec: withScope({ [text]: 1 }) }).map(({ rule }) => rule)).toContain('MF207');
    },
  );

  it("lintTemplate prefers the provider's judgement on a wildcard to its own rule", () => {
    const remarks = (kind: 'narrowest' | 'below' | 'too-wide') => ({
      readScope: () => [
        kind === 'too-wide' ? { path: ['a', 0], kind, detail: 'name the queue' } : { path: ['a', 0], kind },
      ],
    });
    const found = (text: string, kind: 'narrowest' | 'below' | 'too-wide') =>
      lint({ spec: withScope({ a: [text] }), facts: remarks(kind) })
        .filter(({ rule }) => rule.startsWith('MF20'))
        .map(({ rule, pointer, detail }) => [rule, pointer, detail]);
    expect(found('*', 'narrowest')).toEqual([]);
    expect(found('queue:*', 'below')).toEqual([['MF208', '/credentials/0/scope/a/0', expect.any(String)]]);
    expect(found('queue/*', 'too-wide')).toEqual([['MF207', '/credentials/0/scope/a/0', 'name the queue']]);
  });

  it('lintTemplate sees a wildcard in any listed value, however many there are', () => {
    const members = Array.from({ length: 200 }, (_, i) => `schema${String(i)}`);
    const scope = { a: { $param: 'one' }, b: { $param: 'two' } };
    const many = withProperties({ one: { enum: members }, two: { enum: [...members, '*'] } }, scope);
    expect(lint({ spec: many }).map(({ pointer }) => pointer)).toContain('/credentials/0/scope/b');
  });

  it('lintTemplate shows the provider every combination of listed values, once', () => {
    const seen: Json[] = [];
    const properties = {
      one: { enum: ['a', 'b', 'c'] },
      two: { enum: [1, 2] },
      free: { type: 'string', maxLength: 5 },
    };
    const scope = { a: { $param: 'one' }, b: { $param: 'two' }, c: { $param: 'free' } };
    lint({ spec: withProperties(properties, scope), facts: { validateScope: (_, tree) => void seen.push(tree) } });
    expect(new Set(seen.map((tree) => JSON.stringify(tree))).size).toBe(6);
    expect(seen).toHaveLength(6);
  });

  it('lintTemplate tries a free parameter with the example of its author', () => {
    const seen: Json[] = [];
    const id = { type: 'string', pattern: '^zz[0-9]{7}$', examples: ['zz0000001'] };
    const spec = withProperties({ id }, { a: { $param: 'id' } });
    expect(lint({ spec, facts: { validateScope: (_, tree) => void seen.push(tree) } })).toEqual([]);
    expect(seen).toEqual([{ a: 'zz0000001' }]);
  });

  it.each<[string, JsonObject]>([
    ['a step', { type: 'integer', minimum: 1, maximum: 900, multipleOf: 300 }],
    ['a step that is a fraction', { type: 'integer', minimum: 1, maximum: 9, multipleOf: 2.5 }],
  ])('lintTemplate finds a whole number to try where it has %s', (_, rows) => {
    expect(lint({ spec: withProperties({ rows }, { a: { $param: 'rows' } }) })).toEqual([]);
  });

  it('lintTemplate refuses a number in a scope that was rounded when it was read', () => {
    const scope = JSON.parse('{"account": 9007199254740993, "share": 0.25}') as JsonObject;
    const [found] = lint({ spec: withScope(scope) }).filter(({ severity }) => severity === 'error');
    expect(found).toMatchObject({ rule: 'MF205', pointer: '/credentials/0/scope/account' });
  });

  it('lintTemplate shows the connection the examples, and the longest rendering that the parameters allow', () => {
    const seen: unknown[] = [];
    const properties = {
      one: { enum: ['a', 'bbb'] },
      id: { type: 'string', pattern: '^[a-z]{1,12}$', examples: ['zz'] },
      number: { type: 'integer', minimum: 0, maximum: 9 },
    };
    const scope = { a: { $join: [{ $param: 'one' }, '/', { $param: 'id' }] }, n: { $param: 'number' } };
    const inspectScope = (connection: string, tree: unknown) => {
      seen.push([connection, tree]);
      return [];
    };
    lint({ spec: withProperties(properties, scope), facts: { inspectScope } });
    expect(seen).toContainEqual(['crm', { a: 'a/zz', n: 0 }]);
    expect(seen).toContainEqual(['crm', { a: `bbb/${'a'.repeat(12)}`, n: Number.MAX_SAFE_INTEGER }]);
  });

  it('lintTemplate judges a connection by its own traits where it has them', () => {
    const traits = { minTtlSeconds: 901, maxTtlSeconds: 1000, revocation: 'expiry-only' as const };
    const found = lint({ facts: { connections: [{ name: 'crm', provider: 'postgres', traits }] } });
    expect(found.map(({ rule }) => rule)).toEqual(['MF304', 'MF305', 'MF308']);
  });

  it('lintTemplate counts the largest rendering, not the example', () => {
    const holes = Array.from({ length: 300 }, () => ({ $param: 'tenant' }));
    const spec = withProperties({ tenant: { type: 'string', maxLength: 64 } }, { a: holes });
    expect(lint({ spec }).map(({ rule }) => rule)).toContain('MF209');
  });
});
