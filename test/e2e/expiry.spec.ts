import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { openDatabaseScene, type DatabaseScene } from '../support/broker-process.js';
import { rowsOf } from '../support/rows.js';
import { starterWith } from '../support/starter.js';
import { leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, READ_EMEA, secretOf, statesOf, taskIn, type Door, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

/** Far more than it takes; how late it really is, is printed. */
const PATIENCE_SECONDS = 10;
const TTL_SECONDS = 3;

let targetUrl: string;
beforeAll(async () => {
  targetUrl = (await starterWith()).targetUrl;
});

interface Started {
  readonly task: TaskBody;
  readonly session: Awaited<ReturnType<typeof openTransaction>>;
}

async function startTask(door: Door, token: string): Promise<Started> {
  const task = await grant(door, token, { ...READ_EMEA, ttlSeconds: TTL_SECONDS });
  return { task, session: await openTransaction(secretOf(task, 'db', 'url')) };
}

/** Everything of the task is dead, and its states say why. */
async function expectExpired(what: string, { task, session }: Started, door: Door, token: string): Promise<void> {
  const seen = await until('the task expires', TTL_SECONDS + PATIENCE_SECONDS, async () => {
    const now = taskIn(await door.send(`GET /tasks/${task.id}`, { token }));
    return now.state !== 'active' && now;
  });
  const endedAt = performance.timeOrigin + (await session.ended);
  const late = endedAt - Date.parse(task.expiresAt);
  console.log(`${what}: session dead ${late.toFixed(0)} ms after the deadline`);
  expect(late).toBeGreaterThan(-50); // it was given its whole life
  expect(seen).toMatchObject({ state: 'expired', endCause: 'expired' });
  expect(statesOf(seen)).toEqual({ db: 'expired', api: 'expired' });
  expect(await leaseRoles(targetUrl)).not.toContain(roleOf(leaseIdOf(task, 'db')));
  await expect(rowsOf(secretOf(task, 'db', 'url'), 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
}

describe.each([
  ['with the queue', 'on'],
  ['with the queue stopped, by the sweeper alone', 'off'],
])('a task at its deadline, %s', (what, queue) => {
  let mayfly: TestBroker;
  beforeAll(async () => {
    mayfly = await startTestBroker({ environment: { MAYFLY_QUEUE: queue } });
  });
  afterAll(() => mayfly.stop());

  it('a task at its deadline is closed: session, role, token and states', async () => {
    const token = mayfly.agentToken('support-agent');
    await expectExpired(what, await startTask(mayfly, token), mayfly, token);
    const jobs = await rowsOf<{ schema: string | null }>(
      mayfly.database.adminUrl,
      `SELECT to_regnamespace('bullmq')::text AS schema`,
    );
    expect(jobs[0]?.schema).toBe(queue === 'on' ? 'bullmq' : null);
  });
});

describe('a task whose deadline passes while the service is dead', () => {
  let scene: DatabaseScene;
  beforeAll(async () => {
    scene = await openDatabaseScene();
  });
  afterAll(() => scene.close());

  it('a task whose deadline passes while the service is dead is closed as soon as the service is back; new logins were refused by the target meanwhile', async () => {
    const token = await scene.agentToken('support-agent');
    const first = await scene.start();
    const started = await startTask(first, token);
    await first.kill();
    const refused = await until('the target refuses', TTL_SECONDS + PATIENCE_SECONDS, () =>
      rowsOf(secretOf(started.task, 'db', 'url'), 'SELECT 1').then(
        () => undefined,
        (error: unknown) => (error as { code: string }).code,
      ),
    );
    expect(refused).toBe('28P01');
    expect(await leaseRoles(targetUrl)).toContain(roleOf(leaseIdOf(started.task, 'db')));
    const restarted = performance.now();
    const second = await scene.start();
    console.log(`start-up took ${(performance.now() - restarted).toFixed(0)} ms`);
    await expectExpired('killed before and started after the deadline', started, second, token);
  });
});
