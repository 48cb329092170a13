import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import type { TestAnswer } from '../support/broker.js';
import type { BrokerProcess } from '../support/broker-process.js';
import { Canaries } from '../support/canaries.js';
import { agentDocument, connectionDocument, identityOf, templateDocument } from '../support/declared.js';
import { openProductionScene, PUBLIC_URL, type ProductionScene } from '../support/production-scene.js';
import { takeCensus } from '../support/recovery.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES } from '../support/starter.js';
import { leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, secretOf, statesOf, taskIn, type TaskBody } from '../support/tasks.js';
import { approvedBy } from '../support/two-persons.js';
import { until } from '../support/until.js';

const CLIENTS = 8;
const READ = { template: 'read', purpose: 'answer ticket 4711' };

let scene: ProductionScene;
let brokers: [BrokerProcess, BrokerProcess];
let workers: [BrokerProcess, BrokerProcess];
let others: readonly string[];
const canaries = new Canaries();

beforeAll(async () => {
  scene = await openProductionScene();
  console.log(`production: jobs on ${scene.redisUrl === undefined ? 'PostgreSQL, as there is no Redis' : 'Redis'}`);
  others = await leaseRoles(scene.targetUrl);
  const first = await scene.startBroker();
  const [second, ...both] = await Promise.all([scene.startBroker(), scene.startWorker(), scene.startWorker()]);
  [brokers, workers] = [[first, second], both];
  for (const [name, secret] of Object.entries(scene.secrets)) canaries.plant(name, secret);
}, 180_000);
afterAll(() => scene.close());

async function agentToken(): Promise<string> {
  const token = await scene.agentToken('first');
  canaries.plantToken(`a token of the agent (${String(canaries.names.length)})`, token);
  return token;
}

async function asPlatform(route: string, body?: JsonObject, subject = 'author', headers = {}): Promise<TestAnswer> {
  const token = await scene.personToken('platform', subject);
  return brokers[0].send(route, { token, body, headers });
}

/** Publishes the draft as it is now. */
async function publish(subject: string): Promise<TestAnswer> {
  const etag = (await asPlatform('GET /templates/read')).headers.get('etag') ?? '';
  return asPlatform('POST /templates/read/publish', undefined, subject, { 'if-match': etag });
}

function keep(task: TaskBody): TaskBody {
  canaries.plant(`the password of ${task.id}`, secretOf(task, 'db', 'password'));
  return task;
}

async function ended(task: TaskBody, token: string): Promise<TaskBody> {
  return until('the task ends', 30, async () => {
    const seen = taskIn(await brokers[0].send(`GET /tasks/${task.id}`, { token }));
    return seen.state !== 'active' && seen;
  });
}

describe('production, from an empty database', () => {
  it('a production service on an empty database knows its people alone: nobody of the development issuer, and no agent yet', async () => {
    expect(await asPlatform('GET /issuers')).toMatchObject({ status: 200, body: { items: [{ name: 'staff' }] } });
    expect(await brokers[0].send('GET /me', { token: await agentToken() })).toMatchObject({ status: 401 });
    for (const one of [...brokers, ...workers]) expect(one.output()).not.toMatch(/development|npm run/);
  });

  it('a production service on an empty database is declared over the API, and grants nothing before a second person has approved and published', async () => {
    const { spec } = scene.issuers.workloads.trusted('development');
    const issuer = {
      kind: 'Issuer',
      metadata: { name: 'development', labels: {} },
      spec: { ...spec, owner: 'crm-platform' },
    } as unknown as JsonObject;
    const agent = agentDocument('first', { identities: [identityOf('first')] });
    const template = templateDocument('read', {
      credentials: READ_CASES,
      lifetime: { defaultSeconds: 60, maxSeconds: 600 },
    });
    for (const [route, document] of [
      ['POST /issuers', issuer],
      ['POST /connections', connectionDocument('crm')],
      ['POST /agents', agent],
    ] as const) {
      const asked = asPlatform(route, document);
      const decided = approvedBy((decision, body) => asPlatform(decision, body, 'publisher'), asked);
      expect(await decided).toMatchObject({ status: 200, body: { state: 'approved' } });
    }
    expect(await asPlatform('POST /templates', template)).toMatchObject({ status: 201 });
    expect(await asPlatform('POST /agents/first/activate')).toMatchObject({ status: 200 });
    expect(await publish('author')).toMatchObject({ status: 403, body: { control: 'four-eyes' } });
    const token = await agentToken();
    await until('both brokers know the agent', 10, async () => {
      const answers = await Promise.all(brokers.map((broker) => broker.send('GET /me', { token })));
      return answers.every(({ status }) => status === 200);
    });
    expect(await brokers[1].send('POST /tasks', { token, body: READ })).toMatchObject({ status: 404 });
    expect(await publish('publisher')).toMatchObject({ status: 200, body: { state: 'published' } });
  });

  it('a production service on an empty database says where it is, whatever it listens on', async () => {
    const { body } = await brokers[1].send('GET /.well-known/oauth-authorization-server');
    expect(body).toMatchObject({ issuer: PUBLIC_URL });
    const federation = await brokers[0].send('GET /federation/.well-known/openid-configuration');
    expect(federation).toMatchObject({ status: 200, body: { issuer: `${PUBLIC_URL}/federation` } });
  });
});

describe('two brokers and two workers', () => {
  it('two brokers and two workers are one service: what one broker grants, the other completes', async () => {
    for (const [from, to] of [brokers, [...brokers].reverse()] as [BrokerProcess, BrokerProcess][]) {
      const token = await agentToken();
      const task = keep(
        await until('the template is in force', 10, () => grant(from, token, READ).catch(() => undefined)),
      );
      const session = await openTransaction(secretOf(task, 'db', 'url'));
      expect(await to.send(`POST /tasks/${task.id}/complete`, { token })).toMatchObject({ status: 200 });
      expect(await ended(task, token)).toMatchObject({ state: 'completed' });
      await session.ended;
      expect(await leaseRoles(scene.targetUrl)).not.toContain(roleOf(leaseIdOf(task, 'db')));
    }
  });

  it('two brokers and two workers end a task at its deadline, which no broker looks after', async () => {
    const token = await agentToken();
    const task = keep(await grant(brokers[0], token, { ...READ, ttlSeconds: 2 }));
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    await session.ended;
    expect(statesOf(await ended(task, token))).toEqual({ db: 'expired' });
  });

  it('two brokers and two workers serve agents at the brokers only', async () => {
    for (const worker of workers)
      expect(await worker.send('POST /tasks', { token: await agentToken(), body: READ })).toMatchObject({
        status: 404,
      });
  });

  it('two brokers and two workers leave nothing alive when a broker and a worker are killed in the middle of traffic', async () => {
    const count = { granted: 0, completed: 0, unanswered: 0 };
    const traffic = new AbortController();
    const client = async (n: number): Promise<void> => {
      const token = await agentToken();
      for (let round = n; !traffic.signal.aborted; round += 1) {
        const [one, other] = round % 2 === 0 ? brokers : [brokers[1], brokers[0]];
        try {
          // Every third is left to its deadline.
          const task = keep(await grant(one, token, { ...READ, ttlSeconds: 3 }));
          count.granted += 1;
          if (round % 3 === 0) continue;
          const { status } = await other.send(`POST /tasks/${task.id}/complete`, { token });
          if (status === 200) count.completed += 1;
        } catch {
          count.unanswered += 1;
          // a broker that is gone answers at once
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    };
    const clients = Array.from({ length: CLIENTS }, (_, n) => client(n));
    await until('traffic flows', 30, () => Promise.resolve(count.completed >= 20));
    await Promise.all([brokers[1].kill(), workers[1].kill()]);
    const atTheKill = count.granted;
    await until('traffic goes on over the broker that is left', 30, () =>
      Promise.resolve(count.granted > atTheKill + 30 && count.unanswered > 0),
    );
    traffic.abort();
    await Promise.all(clients);
    console.log(`production: ${JSON.stringify(count)}`);
    const census = await until('everything has ended', 60, async () => {
      const seen = await takeCensus(scene, others);
      return seen.living === 0 && seen.pending === 0 && seen;
    });
    expect(census).toMatchObject({ roles: [], active: [], counted: 0 });
    const left = await rowsOf(
      scene.database.adminUrl,
      `SELECT state, count(*)::int FROM task GROUP BY state ORDER BY 1`,
    );
    console.log(`production: ${JSON.stringify(left)}`);
  }, 180_000);

  it('two brokers and two workers stop cleanly on a signal', async () => {
    const token = await agentToken();
    const task = keep(await grant(brokers[0], token, READ));
    const exits = await Promise.all([brokers[0].stop(), workers[0].stop()]);
    expect(exits).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ]);
    // The granted task lives on, and the next broker takes it over.
    expect(await rowsOf(secretOf(task, 'db', 'url'), 'SELECT count(*)::int FROM emea.cases')).toEqual([{ count: 3 }]);
    const next = await scene.startBroker();
    expect(await next.send(`POST /tasks/${task.id}/complete`, { token })).toMatchObject({
      status: 200,
      body: { state: 'completed' },
    });
    expect(await next.stop()).toEqual({ code: 0, signal: null });
  });

  it('two brokers and two workers have written no secret into their logs', () => {
    const outputs = [...brokers, ...workers].map((one) => one.output());
    for (const output of outputs) expect(output).toContain('mayfly: ready');
    expect(canaries.names.length).toBeGreaterThan(50);
    expect(canaries.findIn(outputs.join('\n'))).toEqual([]);
  });
});
