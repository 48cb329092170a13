import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
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

/** True when the service takes no connection any more. */
async function isRefused({ url }: BrokerProcess): Promise<boolean> {
  const code = await fetch(`${url}/healthz`).then(
    () => undefined,
    (error: unknown) => (error as { cause?: { code?: string } }).cause?.code,
  );
  return code === 'ECONNREFUSED';
}

/** A connection that has sent a text; one that reads has been answered where the text is a whole request. */
async function openPeer({ url }: BrokerProcess, text: string, { reads = true } = {}): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  if (reads && text.endsWith('\r\n\r\n')) await once(socket, 'data');
  return reads ? socket.resume() : socket.pause();
}

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

  it('SIGTERM lets requests in flight finish or refuses them, and leaves only whole grants', async () => {
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

  it('SIGTERM answers a request that is being processed, and tells its peer that the connection ends', async () => {
    const broker = await scene.start();
    const token = await scene.agentToken('support-agent');
    const holder = new pg.Client({ connectionString: scene.database.adminUrl });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE task IN EXCLUSIVE MODE');
    const asking = broker.send('POST /tasks', { token, body: READ_EMEA });
    await until('the request waits for the lock', 10, async () => {
      const waiting = await rowsOf(scene.database.adminUrl, 'SELECT FROM pg_locks WHERE NOT granted');
      return waiting.length > 0;
    });
    broker.signal('SIGTERM');
    await until('nobody is let in any more', 10, () => isRefused(broker));
    await holder.end();
    const answer = await asking;
    expect(answer).toMatchObject({ status: 201 });
    expect(answer.headers.get('connection')).toBe('close');
    expect(await broker.exited).toEqual(LEFT);
  });

  it('SIGTERM of a service with nothing to do is quick, right after its start, too', async () => {
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

  const isDown = ({ dataDir }: EmbeddedScene) => !existsSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'));

  it('the embedded default stops cleanly with its PostgreSQL when it is signalled during the start', async () => {
    const starting = neighbour.start();
    const server = join(neighbour.dataDir, 'postgres', 'data', 'postmaster.pid');
    await until('PostgreSQL is being started', 30, () => Promise.resolve(existsSync(server)));
    process.kill(Number(readFileSync(join(neighbour.directory, 'pids'), 'utf8')), 'SIGTERM');
    await expect(starting).rejects.toThrow('the service left ({"code":0,"signal":null})');
    expect(isDown(neighbour)).toBe(true);
  });

  it('the embedded default leaves at once, PostgreSQL included, whatever connections are open that have nothing to be answered', async () => {
    const broker = await neighbour.start();
    const request = (first: string, ...more: string[]) => [first, 'Host: localhost', ...more].join('\r\n');
    const whole = `${request('GET /openapi.json HTTP/1.1')}\r\n\r\n`;
    const peers = await Promise.all([
      openPeer(broker, ''),
      openPeer(broker, request('GET /healthz HTTP/1.1', 'X-Half: a h')),
      openPeer(broker, `${request('POST /oauth/revoke HTTP/1.1', 'Content-Length: 100')}\r\n\r\ntoken=`),
      openPeer(broker, whole),
      openPeer(broker, whole.repeat(400), { reads: false }),
    ]);
    await stopIn(15, broker);
    expect(isDown(neighbour)).toBe(true);
    peers.forEach((peer) => peer.destroy());
  });

  it('the embedded default outlives kill -9: the next start takes its PostgreSQL over, and a granted task can be completed', async () => {
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

  it('the embedded default runs beside another copy with a port and a directory of its own, and each is blind to the other', async () => {
    const [one, other] = await Promise.all([scene.start(), neighbour.start()]);
    const [mine, theirs] = [await scene.agentToken('support-agent'), await neighbour.agentToken('support-agent')];
    const [task, another] = [await grant(one, mine), await grant(other, theirs)];
    expect(secretOf(task, 'db', 'port')).not.toBe(secretOf(another, 'db', 'port'));
    expect(await other.send('POST /tasks', { token: mine, body: READ_EMEA })).toMatchObject({ status: 401 });
    expect(await other.send(`GET /tasks/${task.id}`, { token: theirs })).toMatchObject({ status: 404 });
    await stopIn(STOP_SECONDS, other);
    expect(await one.send(`POST /tasks/${task.id}/complete`, { token: mine })).toMatchObject({ status: 200 });
  });

  it('the embedded default refuses to start twice on one directory, and says what to do', async () => {
    await expect(scene.start()).rejects.toThrow(/MAYFLY_DATA_DIR and PORT/);
  });

  it('the embedded default starts again after a stop, with everything that it had granted', async () => {
    const broker = await neighbour.start();
    const auditor = await neighbour.personToken('auditor');
    const { body } = await broker.send('GET /issuances', { token: auditor });
    expect(body).toMatchObject({ items: [{ state: 'active' }, { state: 'active' }] });
  });
});
