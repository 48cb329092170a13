import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RegisteredProvider } from '@mayfly/credentials';
import { lintFactsOf } from '@mayfly/declarations';
import type { AgentPrincipal } from '@mayfly/identity';
import { type AskedTask, Tasks, type TasksParts } from '@mayfly/issuance';
import { type FieldError, type Json, type JsonObject, Problem } from '@mayfly/kernel';
import { type CompiledTemplate, lintTemplate } from '@mayfly/templates';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import fc from 'fast-check';
import { CONNECTIONS, providersWithoutTargets } from '../../../test/support/providers-without-targets.js';
import { redactText } from './redaction.js';

interface Refusal {
  readonly code: string;
  readonly errors: readonly FieldError[];
}
type Verdict = 'granted' | Refusal;
type TaskParameters = AskedTask['parameters'];

/** A dry run answers denials of controls instead of throwing them. */
function refuseDenied({ wouldGrant, controls }: JsonObject): void {
  if (wouldGrant !== true) throw new Problem('policy_denied', JSON.stringify(controls));
}

describe('a dry run', () => {
  let service: IssuanceService<FakeTaskStores>;
  let tasks: Tasks;
  let more: readonly RegisteredProvider[];

  beforeAll(async () => {
    more = await providersWithoutTargets(new FakeTaskStores().scene.clock);
  });

  beforeEach(() => {
    const stores = new FakeTaskStores();
    service = new IssuanceService(stores, undefined, more);
    tasks = new Tasks({
      issuance: service.issuance,
      issuanceStore: stores.issuance,
      redact: redactText,
    } as unknown as TasksParts);
  });

  const facts = () =>
    lintFactsOf(
      [service.dummy, ...more.map(({ provider }) => provider)],
      CONNECTIONS.map(({ name, kind, config }) => ({ name, spec: { provider: kind, config } })),
    );
  const verdictOf = (work: Promise<unknown>): Promise<Verdict> =>
    work.then(
      () => 'granted' as const,
      (error: unknown): Refusal => {
        if (!(error instanceof Problem)) throw error;
        return { code: error.code, errors: error.extensions.errors ?? [] };
      },
    );
  const errorsIn = (template: CompiledTemplate) =>
    lintTemplate(template.version.spec, facts()).filter(({ severity }) => severity === 'error');
  const publish = async (template: CompiledTemplate): Promise<void> => {
    await service.publish(template);
    for (const { name, kind, config } of CONNECTIONS) service.connect(name, kind, config);
  };
  /** Answers of the dry run, and then of the request itself. */
  const bothOf = async (parameters: TaskParameters): Promise<readonly [dry: Verdict, real: Verdict]> => {
    const dry = await verdictOf(tasks.dryRun(principal(), requestWith(parameters)).then(refuseDenied));
    return [dry, await verdictOf(service.issuance.issue(service.requester(), requestWith(parameters)))];
  };
  const requestWith = (parameters: TaskParameters) => ({
    ...{ template: 'read-cases', parameters, purpose: 'answer ticket 4711' },
  });
  const principal = (): AgentPrincipal => {
    const requester = service.requester();
    const { issuer, subject, identityExpiresAt: expiresAt } = requester;
    return { ...requester, kind: 'agent', identity: { issuer, subject, expiresAt } } as unknown as AgentPrincipal;
  };
  const templateFor = (provider: string, scope: JsonObject, properties: JsonObject) =>
    templateOf({
      parameters: {
        type: 'object',
        properties,
        required: Object.keys(properties),
        additionalProperties: false,
      } as never,
      lifetime: { defaultSeconds: 600, maxSeconds: 900 },
      credentials: [{ name: 'it', provider, connection: provider, scope: scope as never }],
    });

  const free = { type: 'string', maxLength: 64 };
  const hole = { $param: 'p' };
  it.each<[string, string, JsonObject, string, string]>([
    [
      'an operation in upper case',
      'signed-token',
      { audience: 'https://cases.example', operations: [hole] },
      'READ',
      'credential `it`: operations.0: use 1 to 64 lower-case letters, digits and `_.:-`, a letter first',
    ],
    [
      'an operation that is there already',
      'signed-token',
      { audience: 'https://cases.example', operations: ['read', hole] },
      'read',
      'credential `it`: operations: name each operation once',
    ],
    [
      'a catalog of the server',
      'postgres',
      { grants: [{ schema: hole, tables: ['cases'], verbs: ['select'] }] },
      'pg_catalog',
      'credential `it`: grants.0.schema: name a schema of your own; Mayfly never grants the catalogs of the server',
    ],
    [
      'a table of 64 characters',
      'postgres',
      { grants: [{ schema: 'crm', tables: [hole], verbs: ['select'] }] },
      'a'.repeat(64),
      'credential `it`: grants.0.tables.0: use at most 63 bytes',
    ],
    [
      'a mount of the server itself',
      'vault',
      { path: { $join: ['database/', hole, '/creds/reader'] }, method: 'read' },
      'sys',
      'credential `it`: path: name a secrets engine; `sys/` belongs to the server',
    ],
  ])('a dry run and the request refuse %s alike, and name the parameter', async (_, provider, scope, value, detail) => {
    const template = templateFor(provider, scope, { p: free });
    expect(errorsIn(template)).toEqual([]);
    await publish(template);
    const refusal = { code: 'invalid_parameters', errors: [{ pointer: '/parameters/p', detail }] };
    expect(await bothOf({ p: value })).toEqual([refusal, refusal]);
  });

  it('a dry run and the request refuse two listed values that together exceed the bounds, although the sample at publication fits', async () => {
    const describing = Array.from({ length: 65 }, (_none, index) => `ec2:DescribeThing${String(index)}`);
    const resource = { enum: ['arn:aws:s3:::crm/a', '*'] };
    const statement = { Effect: 'Allow', Action: { $param: 'action' }, Resource: { $param: 'resource' } };
    const scope = {
      roleArn: 'arn:aws:iam::123456789012:role/crm',
      policy: { Version: '2012-10-17', Statement: statement },
    };
    const template = templateFor('aws-sts', scope, { action: { enum: ['s3:GetObject', ...describing] }, resource });
    expect(errorsIn(template)).toEqual([]);
    await publish(template);
    expect(await bothOf({ action: 'ec2:DescribeThing1', resource: '*' })).toEqual(['granted', 'granted']);
    const [dry, real] = await bothOf({ action: 's3:GetObject', resource: '*' });
    expect(real).toEqual(dry);
    expect(real).toMatchObject({ code: 'invalid_parameters', errors: [{ pointer: '/parameters/resource' }] });
  });

  it('a dry run and the request refuse a scope without parameters that its provider no longer accepts, with help for the template owner', async () => {
    const scope = { audience: 'https://cases.example', operations: ['Read'] };
    await publish(templateFor('signed-token', scope, {}));
    const refusal = { code: 'provider_rejected', errors: [] };
    expect(await bothOf({})).toEqual([refusal, refusal]);
  });

  it('a dry run and the request refuse a disabled, a missing and an unreadable connection alike', async () => {
    await publish(templateFor('dummy', { permissions: [hole] }, { p: free }));
    service.connect('dummy', 'dummy', { unknown: true });
    expect(await bothOf({ p: 'a' })).toEqual(Array(2).fill({ code: 'provider_rejected', errors: [] }));
    service.disconnect('dummy');
    expect(await bothOf({ p: 'a' })).toEqual(Array(2).fill({ code: 'provider_rejected', errors: [] }));
    service.connect('dummy', 'dummy');
    service.disable('dummy');
    expect(await bothOf({ p: 'a' })).toEqual(Array(2).fill({ code: 'policy_denied', errors: [] }));
  });

  it.each([
    ['quota-concurrent-tasks', { tasksPerMinute: 5, concurrentTasks: 1 }],
    ['quota-tasks-per-minute', { tasksPerMinute: 1, concurrentTasks: 5 }],
  ])(
    'a dry run shows %s with the limit, the detail and the help that the request is refused with',
    async (control, quota) => {
      await service.publish(templateOf({ quota }));
      const request = requestWith({ region: 'emea' });
      await service.issuance.issue(service.requester(), request);
      const { wouldGrant, controls } = await tasks.dryRun(principal(), request);
      const refusal: unknown = await service.issuance
        .issue(service.requester(), request)
        .catch((error: unknown) => error);
      if (!(refusal instanceof Problem)) throw new Error('the request was granted');
      const { limit, help } = refusal.extensions;
      expect([wouldGrant, limit]).toEqual([false, expect.anything()]);
      const shown = (controls as JsonObject[]).filter(({ outcome }) => outcome === 'deny');
      expect(shown).toEqual([{ control, outcome: 'deny', detail: refusal.detail, help, evidence: { limit } }]);
    },
  );

  const properties: JsonObject = {
    word: { type: 'string', maxLength: 256, examples: ['database', 'a1'] },
    name: { type: 'string', pattern: '^[a-z_]{1,63}$' },
    count: { type: 'integer', minimum: -1, maximum: Number.MAX_SAFE_INTEGER },
    few: { enum: ['select', 'pki', 'true'] },
    figure: { enum: [1, 30] },
  };
  const parameter = fc.constantFrom(...Object.keys(properties)).map(($param): Json => ({ $param }));
  const joined = (...around: readonly (readonly [string, string])[]) =>
    fc.tuple(fc.constantFrom(...around), parameter).map(([[before, after], part]): Json => ({
      $join: [before, part, after].filter((text) => text !== ''),
    }));
  const textOf = (fixed: readonly string[], ...around: readonly (readonly [string, string])[]) =>
    fc.oneof(fc.constantFrom<Json>(...fixed), parameter, joined(['', ':x'], ...around));
  const few = (item: fc.Arbitrary<Json>) => fc.array(item, { minLength: 1, maxLength: 2 });
  const aws = fc.record({
    Effect: fc.constant('Allow'),
    Action: few(fc.constantFrom('s3:GetObject', 'S3:listbucket', 'ec2:DescribeInstances')),
    Resource: textOf(['arn:aws:s3:::crm/a'], ['arn:aws:s3:::crm/', ''], ['arn:aws:s3:::', '/*']),
    Condition: fc.oneof(
      fc.record({ StringLike: fc.record({ 's3:prefix': few(textOf(['a/*'], ['a/', '/*'])) }) }),
      fc.record({ NumericLessThan: fc.record({ 's3:max-keys': fc.oneof(parameter, fc.constantFrom(10, '10')) }) }),
      fc.record({ Bool: fc.record({ 'aws:SecureTransport': fc.oneof(parameter, fc.constantFrom(true, 'true')) }) }),
      fc.record({ DateLessThan: fc.record({ 'aws:CurrentTime': textOf(['2030-01-01T00:00:00Z']) }) }),
      fc.record({ IpAddress: fc.record({ 'aws:SourceIp': textOf(['10.0.0.0/8'], ['10.0.0.0/', '']) }) }),
    ),
  });
  const scopes: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    dummy: fc.record({ permissions: few(textOf(['cases:read'], [`${'x'.repeat(190)}:`, ''])) }),
    postgres: fc.record({
      grants: few(
        fc.record({
          schema: textOf(['crm'], ['crm:', '']),
          tables: few(textOf(['cases'], ['t:', ''])),
          verbs: few(fc.constantFrom<Json>('select', 'insert', { $param: 'few' })),
        }) as fc.Arbitrary<Json>,
      ),
    }),
    'signed-token': fc.record({
      audience: fc.oneof(fc.constant('https://cases.example'), joined(['https://cases.example/', ''])),
      operations: few(textOf(['cases.read'], ['cases:', ''])),
    }),
    vault: fc.record(
      {
        path: fc.oneof(
          fc.constant('database/creds/reader'),
          joined(['', '/creds/reader'], ['database/creds/', ''], ['pki/', '/web'], ['database/', '/creds/x']),
        ),
        method: fc.constantFrom('read', 'write'),
        body: fc.record({ common_name: textOf(['web.example'], ['', '.example']) }),
      },
      { requiredKeys: ['path', 'method'] },
    ),
    'aws-sts': fc.record(
      {
        roleArn: fc.constant('arn:aws:iam::123456789012:role/crm'),
        policy: fc.record({
          Version: fc.constant('2012-10-17'),
          Statement: fc.oneof(aws, fc.array(aws, { minLength: 1, maxLength: 2 })),
        }),
        tags: fc.record({ team: textOf(['crm']) }),
      },
      { requiredKeys: ['roleArn', 'policy'] },
    ),
  };
  const values = fc.record({
    word: fc.oneof(
      fc.constantFrom('pg_catalog', 'READ', 'a', 'Sys', 'sys', 'issue', 'sign', 'database', 'x'.repeat(64)),
      fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,70}$/),
      fc.string({ maxLength: 5 }),
    ),
    name: fc.oneof(fc.constantFrom('pg_toast', 'information_schema', 'cases'), fc.stringMatching(/^[a-z][a-z_]{0,8}$/)),
    count: fc.oneof(fc.integer({ min: -1, max: 40 }), fc.constantFrom(Number.MAX_SAFE_INTEGER, 2 ** 53, 0.5)),
    few: fc.constantFrom('select', 'read', 'pki', 'true', 'SELECT'),
    figure: fc.constantFrom(1, 30, 2),
  });

  it.each(Object.keys(scopes))(
    'a dry run gives the outcome of the request for every published scope of %s and every parameter, without an internal error',
    async (provider) => {
      const seen = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(
          scopes[provider]!,
          fc.array(values, { minLength: 4, maxLength: 4 }),
          async (scope, requests) => {
            const template = templateFor(provider, JSON.parse(JSON.stringify(scope)) as JsonObject, properties);
            fc.pre(errorsIn(template).length === 0);
            await publish(template);
            for (const request of requests) {
              const [dry, real] = await bothOf(request);
              expect(real).toEqual(dry);
              const code = real === 'granted' ? real : real.code;
              seen.set(code, (seen.get(code) ?? 0) + 1);
              if (real !== 'granted') expect(real.errors.length).toBeGreaterThan(0);
            }
          },
        ),
        { numRuns: 15 },
      );
      expect([...seen.keys()].sort()).toEqual(['granted', 'invalid_parameters']);
    },
  );
});
