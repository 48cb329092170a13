import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type LeaseId } from '@mayfly/kernel';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { rowsOf } from '../support/rows.js';
import { starterWith } from '../support/starter.js';
import { holdRoles, leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, READ_EMEA, secretOf, statesOf, taskIn, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

/** Far more than it takes. */
const PATIENCE_SECONDS = 30;

let targetUrl: string;
let broker: TestBroker;
let worker: TestBroker;
let token: string;

beforeAll(async () => {
  ({ targetUrl } = await starterWith());
  broker = await startTestBroker({ environment: { MAYFLY_WORKER: 'off', MAYFLY_QUEUE: 'on' } });
  token = broker.agentToken('support-agent');
});
afterAll(async () => {
  await worker.stop();
  await broker.stop();
});

async function startWorker(): Promise<void> {
  worker = await startTestBroker({ beside: broker, environment: { MAYFLY_API: 'off', MAYFLY_QUEUE: 'on' } });
}

function look({ id }: TaskBody): Promise<TaskBody> {
  return broker.send(`GET /tasks/${id}`, { token }).then(taskIn);
}

function ended(task: TaskBody): Promise<TaskBody> {
  return until('the task ends', PATIENCE_SECONDS, async () => {
    const seen = await look(task);
    return seen.state !== 'active' && seen;
  });
}

async function jobsLeft(leaseId: string): Promise<number> {
  const queued = await rowsOf<{ jobs: number }>(
    broker.database.adminUrl,
    `SELECT count(*)::int AS jobs FROM bullmq.job j WHERE j::text LIKE $1`,
    [`%${leaseId}%`],
  );
  return queued[0]?.jobs ?? NaN;
}

describe('a broker without a worker', () => {
  it('a broker without a worker leaves deadlines and the jobs of the queue to workers, which catch up when there is one', async () => {
    const task = await grant(broker, token, { ...READ_EMEA, ttlSeconds: 4 });
    const leaseId = leaseIdOf(task, 'db');
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    const deadline = new Date(task.expiresAt);
    await broker.broker.services.queue!.add([{ leaseId: leaseId as LeaseId, runAt: deadline, reason: newId('req') }]);
    await until('the deadline has long passed', PATIENCE_SECONDS, () =>
      Promise.resolve(Date.now() > deadline.getTime() + 1500),
    );
    expect(statesOf(await look(task))).toEqual({ db: 'active', api: 'active' });
    expect(await jobsLeft(leaseId)).toBe(1);
    await startWorker();
    expect(await ended(task)).toMatchObject({ state: 'expired' });
    await session.ended;
    await until('the job is done', PATIENCE_SECONDS, async () => (await jobsLeft(leaseId)) === 0);
    expect(await leaseRoles(targetUrl)).not.toContain(roleOf(leaseId));
  });
});

describe('a worker without the API', () => {
  it.each([
    ...['POST /tasks', 'GET /me', 'GET /templates', 'GET /audit/entries', 'POST /oauth/introspect', 'GET /nothing'],
    ...['GET /.well-known/jwks.json', 'GET /federation/jwks.json', 'GET /docs', 'GET /openapi.json'],
  ])('a worker without the API has no route %s', async (route) => {
    const body = route.startsWith('POST') ? READ_EMEA : undefined;
    const answer = await worker.send(route, { token, body });
    expect(answer).toMatchObject({ status: 404, body: { type: 'urn:mayfly:problem:not_found' } });
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  it.each(['/healthz', '/readyz', '/metrics'])(
    'a worker without the API serves health and metrics at %s',
    async (path) => {
      expect((await fetch(worker.url + path)).status).toBe(200);
    },
  );

  it('a worker without the API revokes due leases', async () => {
    const task = await grant(broker, token, { ...READ_EMEA, ttlSeconds: 2 });
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    await session.ended;
    expect(statesOf(await ended(task))).toEqual({ db: 'expired', api: 'expired' });
  });

  it('a worker without the API carries on where the broker that was asked to complete a task could not', async () => {
    const task = await grant(broker, token);
    const role = roleOf(leaseIdOf(task, 'db'));
    const letGo = await holdRoles(targetUrl);
    const answer = taskIn(await broker.send(`POST /tasks/${task.id}/complete`, { token }));
    expect(answer).toMatchObject({ state: 'active', endCause: 'completed' });
    expect(statesOf(answer)).toMatchObject({ db: 'revoking' });
    await letGo();
    expect(await ended(task)).toMatchObject({ state: 'completed', endCause: 'completed' });
    expect(await leaseRoles(targetUrl)).not.toContain(role);
  });
});
