import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  openDatabaseScene,
  openEmbeddedScene,
  type BrokerProcess,
  type DatabaseScene,
  type EmbeddedScene,
} from '../support/broker-process.js';
import { recovered } from '../support/recovery.js';
import { rowsOf } from '../support/rows.js';
import { leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, READ_EMEA, secretOf, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

const LEFT = { code: 0, signal: null };
const STOP_SECONDS = 20;
const IN_FLIGHT = 20;

async function stopIn(seconds: number, broker: BrokerProcess): Promise<void> {
  const asked = performance.now();
  expect(await broker.stop()).toEqual(LEFT);
  const took = performance.now() - asked;
  console.log(`left ${took.toFixed(0)} ms after SIGTERM`);
  expect(took).toBeLessThan(seconds * 1000);
}

describe('SIGTERM', () => {
  let scene: DatabaseScene;
  let others: readonly string[];
  beforeAll(async () => {
    scene = await openDatabaseScene();
    others = await leaseRoles(scene.targetUrl);
  });
  afterAll(() => scene.close());

  it('lets requests in flight finish or refuses them; what was granted is whole, and nothing else is left', async () => {
    const broker = await scene.start();
    const token = await scene.agentToken('support-agent');
    const asking = Array.from({ length: IN_FLIGHT }, () =>
      broker.send('POST /tasks', { token, body: READ_EMEA }).catch(() => undefined),
    );
    await until('a request is under way', 10, async () => {
      const tasks = await rowsOf(scene.database.adminUrl, 'SELECT FROM task');
      return tasks.length > 0;
    });
    await stopIn(STOP_SECONDS, broker);
    const answers = (await Promise.all(asking)).filter((answer) => answer !== undefined);
    const granted = answers.filter(({ status }) => status === 201).map(taskIn);
    console.log(`${String(granted.length)} of ${String(IN_FLIGHT)} were granted`);
    expect(granted.length).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status !== 201 && status !== 503)).toEqual([]);
    for (const task of granted) {
      const url = secretOf(task, 'db', 'url');
      expect(await rowsOf(url, 'SELECT count(*)::int FROM emea.cases')).toEqual([{ count: 3 }]);
    }
    const next = await scene.start();
    const { roles, active, counted, living } = await recovered(scene, others);
    expect(roles).toEqual(granted.map((task) => roleOf(leaseIdOf(task, 'db'))).sort());
    expect(active).toEqual(roles);
    expect([counted, living]).toEqual([granted.length, granted.length]);
    await stopIn(STOP_SECONDS, next);
  });

  it('of a service with nothing to do is quick, right after its start, too', async () => {
    await stopIn(5, await scene.start());
  });
});

describe('the embedded default', () => {
  let scene: EmbeddedScene;
  let neighbour: EmbeddedScene;
  beforeAll(() => {
    scene = openEmbeddedScene();
    neighbour = openEmbeddedScene();
  });
  afterAll(async () => {
    await scene.close();
    await neighbour.close();
  });

  it('leaves in good order when it is stopped right after its first start', async () => {
    await stopIn(STOP_SECONDS, await neighbour.start());
  });

  it('outlives kill -9: the next start takes its PostgreSQL over, and a granted task can be completed', async () => {
    const first = await scene.start();
    const token = await scene.agentToken('support-agent');
    const task = await grant(first, token);
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    await first.kill();
    expect((await session.client.query('SELECT count(*)::int FROM emea.cases')).rows).toEqual([{ count: 3 }]);
    const second = await scene.start();
    expect(second.output()).toContain('took over the PostgreSQL server');
    const answer = await second.send(`POST /tasks/${task.id}/complete`, { token });
    expect(answer).toMatchObject({ status: 200, body: { state: 'completed' } });
    await session.ended;
    await stopIn(STOP_SECONDS, second);
    await expect(rowsOf(secretOf(task, 'db', 'url'), 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('runs beside another copy with a port and a directory of its own, and each is blind to the other', async () => {
    const [one, other] = await Promise.all([scene.start(), neighbour.start()]);
    const [mine, theirs] = [await scene.agentToken('support-agent'), await neighbour.agentToken('support-agent')];
    const [task, another] = [await grant(one, mine), await grant(other, theirs)];
    expect(secretOf(task, 'db', 'port')).not.toBe(secretOf(another, 'db', 'port'));
    expect(await other.send('POST /tasks', { token: mine, body: READ_EMEA })).toMatchObject({ status: 401 });
    expect(await other.send(`GET /tasks/${task.id}`, { token: theirs })).toMatchObject({ status: 404 });
    await stopIn(STOP_SECONDS, other);
    expect(await one.send(`POST /tasks/${task.id}/complete`, { token: mine })).toMatchObject({ status: 200 });
  });

  it('refuses to start twice on one directory, and says what to do', async () => {
    await expect(scene.start()).rejects.toThrow(/MAYFLY_DATA_DIR and PORT/);
  });

  it('starts again after a stop, with everything that it had granted', async () => {
    const broker = await neighbour.start();
    const auditor = await neighbour.personToken('auditor');
    const { body } = await broker.send('GET /issuances', { token: auditor });
    expect(body).toMatchObject({ items: [{ state: 'active' }, { state: 'active' }] });
  });
});
