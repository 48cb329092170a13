import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestPostgres, type TestDatabase } from '@mayfly/testing';
import { newTestIssuers, type TestAnswer, type TestBroker, startTestBroker } from '../support/broker.js';
import { agentDocument, templateDocument } from '../support/documents.js';
import { type FaultyDoor, startFaultyDoor } from '../support/faulty-door.js';
import { giveBack } from '../support/give-back.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES, starterWith } from '../support/starter.js';
import { leaseRoles } from '../support/target.js';
import { grant, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

const PURPOSE = 'answer a ticket';
const READ = { template: 'read', parameters: {}, purpose: PURPOSE };
const TOKEN = { ...READ, template: 'token' };
const PART = { ...READ, agent: 'writer' };

let database: TestDatabase;
let door: FaultyDoor;
let mayfly: TestBroker;
let targetUrl: string;

beforeAll(async () => {
  const starter = await starterWith(
    ...['searcher', 'writer', 'analyst'].map((name) => agentDocument(name)),
    templateDocument('read', {
      credentials: READ_CASES,
      delegation: { templates: ['read'], maxDepth: 2, maxChildren: 9 },
    }),
    templateDocument('token'),
  );
  targetUrl = starter.targetUrl;
  database = await (await startTestPostgres()).createDatabase();
  door = await startFaultyDoor(database.url);
  const url = new URL(database.url);
  url.port = new URL(door.url).port;
  mayfly = await startTestBroker({
    documents: starter.documents,
    environment: { ...starter.environment, MAYFLY_SEALING_KEY: '0e'.repeat(32) },
    beside: { database: { ...database, url: url.href }, issuers: newTestIssuers() },
  });
}, 120_000);
afterAll(async () => {
  await mayfly.stop();
  await door.stop();
  await database.drop();
});

const as = (agent: string, route: string, body?: unknown, headers = {}): Promise<TestAnswer> =>
  mayfly.send(route, { token: mayfly.agentToken(agent), headers, ...(body === undefined ? {} : { body }) });
const ask = (route: string, body?: unknown, headers = {}) => as('searcher', route, body, headers);
const operator = (route: string, body?: unknown, subject?: string) =>
  mayfly.send(route, { token: mayfly.personToken('operator', subject), ...(body === undefined ? {} : { body }) });
const granted = async () => grant(mayfly, mayfly.agentToken('searcher'), READ);
const count = async (statement: string, ...values: unknown[]): Promise<number> =>
  (await rowsOf<{ n: number }>(database.adminUrl, statement, values))[0]?.n ?? NaN;
const entries = (type: string, taskId: string) =>
  count('SELECT count(*)::int AS n FROM audit_entry WHERE type = $1 AND task_id = $2', type, taskId);
const newest = async (): Promise<string> =>
  (await rowsOf<{ id: string }>(database.adminUrl, 'SELECT id FROM task ORDER BY id DESC LIMIT 1'))[0]!.id;
const stateOf = async (id: string) => taskIn(await operator(`GET /tasks/${id}`));
const problem = ({ status, body }: TestAnswer) => [status, (body.type as string).replace('urn:mayfly:problem:', '')];

/** The call whose commit is lost, and what proves afterwards that its outcome was read and not guessed. */
interface Case {
  /** a statement of the commit, and the text that commits when it is another one */
  readonly lost: readonly [statement: string, commit?: string];
  /** Prepares, and returns the call with a check of what it left. */
  readonly make: () => Promise<{
    readonly call: () => Promise<TestAnswer>;
    readonly check: (answer: TestAnswer) => Promise<void>;
  }>;
}

/** Checks of what a worker does later. The last test waits for all of them at once. */
const waits: Promise<void>[] = [];
function later(wait: () => Promise<void>): void {
  const waiting = wait();
  waiting.catch(() => undefined);
  waits.push(waiting);
}

/** No secret left, and the task that may have been opened is dead at the target too. */
async function expectNoTask(answer: TestAnswer): Promise<void> {
  expect(problem(answer)).toEqual([503, 'unavailable']);
  expect(JSON.stringify(answer.body)).not.toContain('secret');
  const id = await newest();
  later(async () => {
    const ended = await until('the task ends', 40, async () => {
      const { state, endCause } = await stateOf(id);
      return state !== 'active' && endCause;
    });
    expect(ended).toBe('issuance_failed');
    expect(await entries('task.ended', id)).toBe(1);
  });
}

const CASES: Readonly<Record<string, Case>> = {
  'a grant at a target whose opening is lost is ended, and nothing is minted': {
    lost: ['open-tasks'],
    make: async () => ({ call: () => ask('POST /tasks', READ), check: expectNoTask }),
  },
  'a grant of a token whose opening is lost is ended, and the token is not sent': {
    lost: ['open-tasks'],
    make: async () => ({ call: () => ask('POST /tasks', TOKEN), check: expectNoTask }),
  },
  'a grant whose activation is lost is ended, and its role is dropped': {
    lost: ['activate-tasks'],
    make: async () => ({ call: () => ask('POST /tasks', READ), check: expectNoTask }),
  },
  'a grant whose hold on the key is lost opens no task, and the key is not used twice': {
    lost: ['hold-key'],
    make: async () => {
      const [headers, before] = [{ 'idempotency-key': randomUUID() }, await newest()];
      return {
        call: () => ask('POST /tasks', TOKEN, headers),
        check: async (answer) => {
          expect(problem(answer)).toEqual([503, 'unavailable']);
          expect(await newest()).toBe(before);
          expect(problem(await ask('POST /tasks', TOKEN, headers))).toEqual([409, 'request_in_flight']);
        },
      };
    },
  },
  'a grant whose answer may not be saved is ended, and a repeat gets the ended task without a secret': {
    lost: ['SET sealed_answer = $7'],
    make: async () => {
      const headers = { 'idempotency-key': randomUUID() };
      return {
        call: () => ask('POST /tasks', READ, headers),
        check: async (answer) => {
          expect(problem(answer)).toEqual([503, 'unavailable']);
          const repeated = await ask('POST /tasks', READ, headers);
          expect(repeated.body).toMatchObject({ id: await newest(), endCause: 'issuance_failed' });
          expect(JSON.stringify(repeated.body)).not.toContain('secret');
        },
      };
    },
  },
  'a renewal whose commit is lost can be repeated, and the deadline is the later one': {
    lost: ['SET expires_at = greatest(expires_at, $2),', 'COMMIT'],
    make: async () => {
      const task = await granted();
      return {
        call: () => ask(`POST /tasks/${task.id}/renew`, { ttlSeconds: 500 }),
        check: async (answer) => {
          expect(problem(answer)).toEqual([503, 'unavailable']);
          const renewed = taskIn(await ask(`POST /tasks/${task.id}/renew`, { ttlSeconds: 500 }));
          expect(renewed.expiresAt > task.expiresAt).toBe(true);
          expect(renewed.credentials[0]!.providerExpiresAt! > task.credentials[0]!.providerExpiresAt!).toBe(true);
        },
      };
    },
  },
  'an end whose commit is lost is recorded once, and a repeat reads it': {
    lost: ['end-tasks', 'COMMIT'],
    make: async () => {
      const { id } = await granted();
      return {
        call: () => ask(`POST /tasks/${id}/complete`),
        check: async (answer) => {
          expect(problem(answer)).toEqual([503, 'unavailable']);
          expect(await ask(`POST /tasks/${id}/complete`)).toMatchObject({
            status: 200,
            body: { endCause: 'completed' },
          });
          later(async () => {
            await until('the end', 60, async () => (await stateOf(id)).state === 'completed');
            expect([await entries('task.ending', id), await entries('lease.revoked', id)]).toEqual([1, 1]);
          });
        },
      };
    },
  },
  'a proof whose commit is lost is recorded once': {
    lost: ['close-leases', 'COMMIT'],
    make: async () => {
      const { id } = await granted();
      return {
        call: () => ask(`POST /tasks/${id}/complete`),
        check: async ({ status }) => {
          expect([200, 503]).toContain(status);
          await until('the end', 60, async () => (await stateOf(id)).state === 'completed');
          expect([await entries('lease.revoked', id), await entries('task.ended', id)]).toEqual([1, 1]);
        },
      };
    },
  },
  'a delegation whose commit is lost is found by its key': {
    lost: ['INSERT INTO public.delegation', 'COMMIT'],
    make: async () => {
      const { id } = await granted();
      const headers = { 'idempotency-key': randomUUID() };
      const delegate = () => ask(`POST /tasks/${id}/delegate`, PART, headers);
      return {
        call: delegate,
        check: async (answer) => {
          expect(problem(answer)).toEqual([503, 'unavailable']);
          expect(await delegate()).toMatchObject({ status: 201, body: { parentId: id } });
          expect(await count('SELECT count(*)::int AS n FROM delegation WHERE parent_id = $1', id)).toBe(1);
          expect(await entries('task.delegated', id)).toBe(1);
        },
      };
    },
  },
  'an acceptance whose commit is lost ends the child, and leaves the parent': {
    lost: ['open-child'],
    make: async () => {
      const { id } = await granted();
      const child = (await ask(`POST /tasks/${id}/delegate`, PART)).body.id as string;
      return {
        call: () => as('writer', `POST /tasks/${child}/accept`),
        check: async (answer) => {
          await expectNoTask(answer);
          expect(await newest()).toBe(child);
          expect(problem(await as('writer', `POST /tasks/${child}/accept`))).toEqual([403, 'policy_denied']);
          expect((await stateOf(id)).state).toBe('active');
        },
      };
    },
  },
  'a reconciliation whose request is lost is the one that a repeat gets': {
    lost: ['INSERT INTO public.reconciliation', 'COMMIT'],
    make: async () => {
      const request = () => operator('POST /reconciliations', { connection: 'crm' });
      const before = await count('SELECT count(*)::int AS n FROM reconciliation');
      return {
        call: request,
        check: async (answer) => {
          expect(problem(answer)).toEqual([503, 'unavailable']);
          expect(await count('SELECT count(*)::int AS n FROM reconciliation')).toBe(before + 1);
          expect(await request()).toMatchObject({ status: 202 });
        },
      };
    },
  },
  'a lockdown whose engagement is lost denies, ends its tasks, and is the one that a repeat gets': {
    lost: ['INSERT INTO public.lockdown', 'COMMIT'],
    make: async () => {
      const { id } = await granted();
      const engage = () => operator('POST /lockdowns', { scope: { kind: 'task', name: id }, reason: 'test' });
      return {
        call: engage,
        check: async (answer) => {
          expect(problem(answer)).toEqual([503, 'unavailable']);
          const repeated = await engage();
          expect(repeated).toMatchObject({ status: 200, body: { scope: { kind: 'task', name: id } } });
          expect(await count('SELECT count(*)::int AS n FROM lockdown WHERE name = $1', id)).toBe(1);
          await until('the task is dead', 30, async () => (await stateOf(id)).state === 'revoked');
        },
      };
    },
  },
  'a lockdown whose release is lost is released, as a repeat says': {
    lost: ['UPDATE public.lockdown SET released_at', 'COMMIT'],
    make: async () => {
      const scope = { kind: 'task', name: (await granted()).id };
      const { id } = (await operator('POST /lockdowns', { scope, reason: 'test' })).body as { id: string };
      await until('engaged', 30, async () => (await operator(`GET /lockdowns/${id}`)).body.state === 'engaged');
      expect(await operator(`POST /lockdowns/${id}/release`, { reason: 'over' })).toMatchObject({ status: 202 });
      const release = () => operator(`POST /lockdowns/${id}/release`, { reason: 'over' }, 'another-operator');
      return {
        call: release,
        check: async (answer) => {
          expect(problem(answer)).toEqual([503, 'unavailable']);
          expect(problem(await release())).toEqual([409, 'conflict']);
          expect((await operator(`GET /lockdowns/${id}`)).body.state).toBe('released');
        },
      };
    },
  },
  'a suspension whose commit is lost stops the agent, and a repeat says so': {
    lost: ['UPDATE public.agent SET state', 'COMMIT'],
    make: async () => ({
      call: () => operator('POST /agents/analyst/suspend'),
      check: async (answer) => {
        expect(problem(answer)).toEqual([503, 'unavailable']);
        await until('the agent is refused', 10, async () => (await as('analyst', 'POST /tasks', TOKEN)).status === 403);
        const { status, body } = await operator('POST /agents/analyst/suspend');
        expect([status, body.state ?? 'suspended']).toEqual([200, 'suspended']);
      },
    }),
  },
};

describe('a commit whose answer is lost', () => {
  it.each(Object.entries(CASES))(
    'a lost answer is read again: %s',
    async (_, { lost, make }) => {
      const { call, check } = await make();
      const isLost = door.loseAnswerTo(...lost);
      const answer = await call();
      await isLost;
      await check(answer);
    },
    120_000,
  );

  it('every task whose commit was lost ends once, as it was asked to', async () => {
    await Promise.all(waits);
  }, 90_000);

  it('no role of a task that ended is left, and no task that runs is without its quota', async () => {
    await giveBack(mayfly);
    await until('every lease has ended', 60, async () => {
      const living = await count(
        `SELECT count(*)::int AS n FROM lease WHERE due_at IS NOT NULL AND connection = 'crm'`,
      );
      return living === 0;
    });
    const roles = await rowsOf<{ role: string }>(
      database.adminUrl,
      `SELECT 'mayfly_' || substr(id, 5) AS role FROM lease WHERE connection = 'crm'`,
    );
    const left = await leaseRoles(targetUrl);
    expect(roles.filter(({ role }) => left.includes(role))).toEqual([]);
    const counted = await count('SELECT coalesce(sum(active), 0)::int AS n FROM quota_counter');
    expect(counted).toBe(await count(`SELECT count(*)::int AS n FROM task WHERE state = 'active'`));
  }, 120_000);
});
