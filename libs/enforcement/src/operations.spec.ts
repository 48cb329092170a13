import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { DenialLog } from '@mayfly/audit';
import type { Principal } from '@mayfly/identity';
import { type JsonObject, newId, Problem } from '@mayfly/kernel';
import type { DecisionRecord } from '@mayfly/policy';
import { useAmounts } from '@mayfly/tasks';
import { FakeSigningKeyStore, introspectableProviders, TestClock } from '@mayfly/testing';
import { KeyRing, Sealer, TaskTokens, TokenSigner, TokenVerifier } from '@mayfly/trust';
import { KnownTasks, type OperationTask } from './known-tasks.js';
import type { Operation } from './operation.js';
import { Operations } from './operations.js';
import { ResourceServers } from './resource-servers.js';
import { ShownTokens } from './shown-tokens.js';
import type { UseRequest, UseVerdict } from './use.store.js';

const ISSUER = 'https://mayfly.example';
const CASES = 'https://cases.example';
const clock = new TestClock();
const key = randomBytes(32).toString('hex');
const ring = new KeyRing(new FakeSigningKeyStore(), new Sealer({ current: key }), clock);
const signer = new TokenSigner(ring, clock);
const taskTokens = new TaskTokens({ current: key });
const providers = introspectableProviders();
const resourceServers = [{ issuer: 'ci', subject: 'cases-api' }];
const connections = [
  { name: 'cases', spec: { provider: 'signed-token', owner: 'crm', config: { audience: CASES, resourceServers } } },
  { name: 'crm', spec: { provider: 'dummy', owner: 'crm', config: {}, gateways: [{ issuer: 'ci', subject: 'crm' }] } },
];

const task: OperationTask = {
  id: newId('tsk'),
  agent: { id: newId('agt'), name: 'support-agent' },
  runtime: 'ci',
  template: { name: 'read-cases', version: 1 },
  operations: ['select'],
  counters: [],
  leases: [
    { id: newId('lse'), name: 'api', provider: 'signed-token', scope: { audience: CASES, operations: ['cases.read'] } },
    { id: newId('lse'), name: 'db', provider: 'dummy', connection: 'crm', scope: { permissions: ['read'] } },
  ],
};

// The state of the fakes, and the calls that they got.
let verdict: UseVerdict;
let down: Set<'gate' | 'tasks' | 'uses' | 'records'>;
let taken: UseRequest[];
let records: DecisionRecord[];
let denied: JsonObject[];
let reads: number;
let verifications: number;
let operations: Operations;

const unavailable = () => new Problem('unavailable', 'the database does not answer', { retryAfterSeconds: 2 });
const caller = (subject: string): Principal =>
  ({
    kind: 'workload',
    requestId: 'req-1',
    identity: { issuer: 'ci', issuerUrl: 'https://ci.example', acceptedBy: ['ci'], subject },
  }) as unknown as Principal;
const [server, gateway] = [caller('cases-api'), caller('crm')];
const read = (more: Partial<Operation> = {}): Operation => ({
  ...{ token: taskTokens.tokenOf(task.id), operation: 'cases.read', target: CASES, amounts: useAmounts() },
  ...more,
});

beforeEach(async () => {
  await ring.rotateIfDue();
  verdict = { kind: 'taken', left: {} };
  down = new Set();
  [taken, records, denied, reads, verifications] = [[], [], [], 0, 0];
  const fail = (part: 'gate' | 'tasks' | 'uses' | 'records') => {
    if (down.has(part)) throw unavailable();
  };
  const verifier = new TokenVerifier(ring, clock);
  const counting = {
    verify: (...asked: Parameters<TokenVerifier['verify']>) => {
      verifications += 1;
      return verifier.verify(...asked);
    },
  };
  const sink = {
    record: async (entries: readonly { body: string }[]) =>
      void denied.push(...entries.map(({ body }) => JSON.parse(body) as JsonObject)),
  };
  const find = async (id: string) => {
    fail('tasks');
    reads += 1;
    return id === task.id ? task : undefined;
  };
  operations = new Operations({
    gate: { pass: async () => fail('gate') },
    tokens: new ShownTokens(counting, taskTokens, ISSUER, clock),
    tasks: new KnownTasks({ find }, providers),
    servers: new ResourceServers({ connections }, providers),
    uses: {
      take: async (request) => {
        fail('uses');
        taken.push(request);
        return verdict;
      },
    },
    records: {
      record: async (record) => {
        fail('records');
        records.push(record);
      },
    },
    denials: new DenialLog(sink, clock),
    clock,
    redact: (text) => text.replace('hunter2', '[redacted]'),
  });
});

const claims = (more: JsonObject = {}) => ({
  ...{ iss: ISSUER, aud: CASES, jti: task.leases[0]!.id, task_id: task.id },
  exp: Math.floor(clock.now().getTime() / 1000) + 60,
  ...more,
});

describe('an operation', () => {
  it('an operation is permitted, and its record has the inputs and no token', async () => {
    expect(await operations.authorize(server, read())).toEqual({ decision: true, decisionId: records[0]?.id });
    expect(records).toMatchObject([{ permitted: true, taskId: task.id, phase: 'operate', inputs: { use: 'taken' } }]);
    expect(JSON.stringify(records)).not.toContain('mft_');
  });

  it.each<[string, UseVerdict, object]>([
    [
      'exhausted',
      {
        kind: 'exhausted',
        unit: 'rows',
        counter: { taskId: task.id, limits: { total: { rows: 9 } } },
        left: { rows: { limit: 9, left: 2 } },
      },
      { control: 'quota-uses', units: { rows: { limit: 9, left: 0 } } },
    ],
    [
      'too fast',
      {
        kind: 'too-fast',
        retryAfterSeconds: 7,
        counter: { taskId: task.id, limits: { total: {}, callsPerMinute: 2 } },
        left: {},
      },
      { control: 'uses-per-minute', retryAfterSeconds: 7 },
    ],
    [
      'of a task whose uses are used up',
      { kind: 'dead', cause: 'uses_exhausted', left: { calls: { limit: 3, left: 1 } } },
      { control: 'quota-uses', uses: { limit: 3, left: 0 } },
    ],
  ])('an operation that is %s is denied by its own control, and recorded', async (_, given, expected) => {
    verdict = given;
    const answer = await operations.authorize(server, read());
    expect(answer).toMatchObject({ decision: false, detail: expect.any(String), ...expected });
    expect(records).toMatchObject([{ permitted: false, control: answer.control, id: answer.decisionId }]);
    expect(denied).toMatchObject([{ type: 'operation.denied', control: answer.control, taskId: task.id }]);
  });

  it.each(['revoked', 'lockdown', 'expired', 'lease'])(
    'an operation of a dead task (%s) gets the denial of an unknown token; only the audit has the reason',
    async (cause) => {
      verdict = { kind: 'dead', cause, left: { calls: { limit: 3, left: 1 } } };
      const { decisionId, ...answer } = await operations.authorize(server, read());
      const { decisionId: other, ...unknown } = await operations.authorize(server, read({ token: 'x' }));
      expect([answer, decisionId === other]).toEqual([unknown, false]);
      expect(answer).toEqual({ decision: false, control: 'task-token' });
      expect(records).toEqual([]);
      expect(denied.map(({ token }) => token)).toEqual([cause, 'unknown']);
    },
  );

  it.each<[string, Principal, Partial<Operation>]>([
    ['another operation', server, { operation: 'cases.delete' }],
    ['a target beside its audience', server, { target: 'https://cases.example.evil.example' }],
    ['an operation that the template does not name', gateway, { operation: 'drop', target: 'crm' }],
    ['another connection', gateway, { operation: 'select', target: 'crm2' }],
    ['what another enforcement point guards', gateway, {}],
  ])('an operation outside the scope is denied, and no use is taken: %s', async (_, who, more) => {
    expect(await operations.authorize(who, read(more))).toMatchObject({ decision: false, control: 'operation-scope' });
    expect(taken).toEqual([]);
    expect(records).toMatchObject([{ permitted: false, control: 'operation-scope' }]);
  });

  it('an operation is recorded with a redacted target', async () => {
    await operations.authorize(server, read({ target: `${CASES}/hunter2` }));
    expect(JSON.stringify(records)).not.toContain('hunter2');
    expect(records).toMatchObject([{ inputs: { target: `${CASES}/[redacted]` } }]);
  });

  it('an operation with a request id has a key that is of its enforcement point alone', async () => {
    await operations.authorize(server, read({ requestId: 'r-1' }));
    await operations.authorize(gateway, read({ requestId: 'r-1', operation: 'select', target: 'crm' }));
    await operations.authorize(server, read({ requestId: 'r-1' }));
    await operations.authorize(server, read());
    const keys = taken.map((request) => request.key);
    expect([keys[0] === keys[1], keys[0] === keys[2], keys[3]]).toEqual([false, true, undefined]);
  });

  it.each(['gate', 'tasks', 'uses', 'records'] as const)(
    'an operation is refused while a part of its decision does not answer: %s',
    async (part) => {
      down.add(part);
      await expect(operations.authorize(server, read())).rejects.toMatchObject({ code: 'unavailable' });
      down.clear();
      expect(await operations.authorize(server, read())).toMatchObject({ decision: true });
    },
  );

  it.each(['tasks', 'uses', 'records'] as const)(
    'one of many operations that cannot be decided is denied by itself: %s',
    async (part) => {
      down.add(part);
      expect(await operations.authorizeEach(server, [read(), read({ token: 'x' })])).toEqual([
        {
          decision: false,
          decisionId: expect.any(String),
          detail: 'the database does not answer',
          retryAfterSeconds: 2,
        },
        { decision: false, decisionId: expect.any(String), control: 'task-token' },
      ]);
    },
  );
});

describe('a token that was shown before', () => {
  it('an access token is verified once, until its own expiry, and its task is read once', async () => {
    const token = await signer.sign('at+jwt', claims());
    for (let times = 0; times < 3; times += 1)
      expect(await operations.authorize(server, read({ token }))).toMatchObject({ decision: true });
    expect([verifications, reads]).toEqual([1, 1]);
    expect(taken[0]).toMatchObject({ taskId: task.id, leaseId: task.leases[0]?.id });
    clock.advance(61);
    expect(await operations.authorize(server, read({ token }))).toMatchObject({ control: 'task-token' });
  });

  it.each<[string, string, JsonObject]>([
    ['of another type', 'JWT', {}],
    ['of another issuer', 'at+jwt', { iss: 'https://evil.example' }],
    ['without a task', 'at+jwt', { task_id: 'x' }],
    ['without a lease', 'at+jwt', { jti: 'x' }],
    ['of a lease that its task does not have', 'at+jwt', { jti: newId('lse') }],
    ['of a task that is not there', 'at+jwt', { task_id: newId('tsk') }],
  ])('a token %s is of no use', async (_, type, more) => {
    const token = await signer.sign(type, claims(more));
    expect(await operations.authorize(server, read({ token }))).toMatchObject({ control: 'task-token' });
    expect(taken).toEqual([]);
  });
});
