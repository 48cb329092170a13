import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startFake } from '../contract/vault-server.js';
import { VaultTarget } from '../contract/vault-target.js';
import { send } from '../support/broker.js';
import { type BrokerProcess, type DatabaseScene, openDatabaseScene } from '../support/broker-process.js';
import { connectionDocument, templateDocument } from '../support/documents.js';
import { yamlOf } from '../support/declared.js';
import { type Front, startFront } from '../support/front.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES } from '../support/starter.js';
import { leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, secretOf, statesOf, type TaskBody, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';
import { vaultConnections, warehouseTemplate } from '../support/vault-documents.js';

const [OLD, NEW] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
const keys = (current: string, previous = '') => ({
  MAYFLY_SEALING_KEY: current,
  ...(previous === '' ? {} : { MAYFLY_SEALING_KEY_PREVIOUS: previous }),
});
const READ = { template: 'read-database', parameters: {}, purpose: 'answer a ticket' };
const WAREHOUSE = { ...READ, template: 'warehouse' };

let scene: DatabaseScene;
let vault: VaultTarget;
let front: Front;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  vault = await VaultTarget.open(startFake);
  front = await startFront();
  const connections = vaultConnections(vault);
  const [agent, ...others] = connections.documents;
  scene = await openDatabaseScene(
    yamlOf(
      ...[agent!, ...others.filter((one) => (one.metadata as JsonObject).name === 'vault-main')],
      connectionDocument('crm'),
      templateDocument('read-database', { credentials: READ_CASES }),
      warehouseTemplate('warehouse', 'tidy'),
    ),
  );
  environment = connections.environment;
}, 120_000);
afterAll(async () => {
  front.stop();
  await scene.close();
  await vault.close();
});

const agent = () => scene.agentToken('support-agent');
const ask = async (route: string, more: object = {}) => send(front.url, route, { token: await agent(), ...more });
const operator = async (route: string, body?: unknown) =>
  send(front.url, route, {
    token: await scene.personToken('operator'),
    ...(body === undefined ? {} : { body }),
  });

async function start(settings: Readonly<Record<string, string>>): Promise<BrokerProcess> {
  const replica = await scene.start({ ...environment, ...settings });
  front.add(replica);
  return replica;
}

/** Restarts each replica with other settings, one at a time: the other one serves meanwhile. */
async function restartEach(replicas: BrokerProcess[], settings: Readonly<Record<string, string>>): Promise<void> {
  for (const [index, replica] of replicas.entries()) {
    front.remove(replica);
    expect(await replica.stop()).toEqual({ code: 0, signal: null });
    replicas[index] = await start(settings);
  }
}

/** Lets the fake trust the identity tokens of the service, whose keys it reads through the front. */
async function trustService(): Promise<void> {
  const { issuer } = (await send(front.url, 'GET /federation/.well-known/openid-configuration')).body;
  const config = { jwks_url: `${front.url}/federation/jwks.json`, bound_issuer: issuer };
  expect((await vault.root('POST', 'auth/jwt/config', config)).status).toBeLessThan(300);
}

/** Grants, replays and ends tasks until `stop`. Returns the answers that were not expected. */
function traffic(): { stop(): Promise<{ rounds: number; faults: readonly unknown[] }> } {
  const faults: unknown[] = [];
  let [isOver, rounds] = [false, 0];
  const flow = async (body: object): Promise<void> => {
    while (!isOver) {
      const headers = { 'idempotency-key': randomUUID() };
      const first = await ask('POST /tasks', { body, headers });
      const again = await ask('POST /tasks', { body, headers });
      if (first.status !== 201 || JSON.stringify(again.body) !== JSON.stringify(first.body))
        faults.push([first.status, first.body, again.status, again.body]);
      const ended = await ask(`POST /tasks/${taskIn(first).id}/complete`);
      if (ended.status !== 200) faults.push([ended.status, ended.body]);
      rounds += 1;
    }
  };
  const noted = (body: object) => flow(body).catch((error: unknown) => void faults.push(error));
  const flows = [noted(READ), noted(WAREHOUSE)];
  return {
    stop: async () => {
      isOver = true;
      await Promise.all(flows);
      return { rounds, faults };
    },
  };
}

/** Compares a connection with the leases, and returns the differences about one lease. */
async function compared(connection: string, leaseId: string): Promise<readonly JsonObject[]> {
  const { body } = await operator('POST /reconciliations', { connection });
  const done = await until('the reconciliation ends', 30, async () => {
    const seen = (await operator(`GET /reconciliations/${body.id as string}`)).body;
    return seen.state !== 'running' && seen;
  });
  expect(done).toMatchObject({ state: 'done' });
  const names = [leaseId, roleOf(leaseId)];
  return (done.differences as unknown as JsonObject[]).filter(
    (one) => names.includes(one.leaseId as string) || names.includes(one.object as string),
  );
}

/** Removes a task with its leases, as a restored backup that does not have them. Its role stays at the target. */
async function forget({ id }: TaskBody): Promise<void> {
  await rowsOf(
    scene.database.adminUrl,
    `SET session_replication_role = replica;
     DELETE FROM lease WHERE task_id = '${id}'; DELETE FROM task WHERE id = '${id}'`,
  );
}

async function expectRevocation(task: TaskBody): Promise<void> {
  expect(await ask(`POST /tasks/${task.id}/complete`)).toMatchObject({ status: 200 });
  const ended = await until('the task ends', 30, async () => {
    const seen = taskIn(await ask(`GET /tasks/${task.id}`));
    return seen.state !== 'active' && seen.state !== 'ending' && seen;
  });
  expect(Object.values(statesOf(ended))).toEqual(['revoked']);
}

/** The steps of docs/deploy.md, "Rotate the sealing key". */
describe('a change of the sealing key on two replicas under traffic', () => {
  let replicas: BrokerProcess[];
  let [database, secret, orphan, late]: readonly TaskBody[] = [];

  it('no request fails in any step, no lease is ended, and every replay has the same secrets', async () => {
    replicas = [await start(keys(OLD)), await start(keys(OLD))];
    await trustService();
    const jwks = (await send(front.url, 'GET /.well-known/jwks.json')).body;
    [database, secret, orphan, late] = await Promise.all(
      [READ, WAREHOUSE, READ, READ].map(async (body) =>
        grant({ send: (...call) => send(front.url, ...call) }, await agent(), body),
      ),
    );
    const session = await openTransaction(secretOf(database!, 'db', 'url'));
    const flow = traffic();

    await restartEach(replicas, keys(OLD, NEW));
    await restartEach(replicas, keys(NEW, OLD));

    const { rounds, faults } = await flow.stop();
    expect(faults).toEqual([]);
    expect(rounds).toBeGreaterThan(4);
    expect((await send(front.url, 'GET /.well-known/jwks.json')).body).toEqual(jwks);
    expect((await session.client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await session.client.end();
    expect(replicas[0]!.output()).toMatch(/"leases":([4-9]|\d\d),.*MAYFLY_SEALING_KEY_PREVIOUS still has to open/);
  }, 240_000);

  it('the reconciler takes marks of the old key for its own: it keeps living leases, and ends what no lease explains', async () => {
    expect(await compared('crm', leaseIdOf(database!, 'db'))).toEqual([]);
    expect(await compared('vault-main', leaseIdOf(secret!, 'warehouse'))).toEqual([]);
    await forget(orphan!);
    expect(await compared('crm', leaseIdOf(orphan!, 'db'))).toMatchObject([{ kind: 'unknown_lease', action: 'ended' }]);
    expect(await leaseRoles(scene.targetUrl)).not.toContain(roleOf(leaseIdOf(orphan!, 'db')));
  }, 60_000);

  it('a start without the old key is refused while a signing key or a living lease needs it', async () => {
    await expect(scene.start({ ...environment, ...keys(NEW) })).rejects.toThrow(
      /another key sealed the signing keys.*add it to MAYFLY_SEALING_KEY_PREVIOUS/,
    );
    await thirtyOneDaysLater();
    await expect(scene.start({ ...environment, ...keys(NEW) })).rejects.toThrow(
      /another key sealed [34] leases that have not ended and \d+ answers that may be replayed; add it/,
    );
  }, 120_000);

  it('a service without the old key works, and reports objects with marks of the old key without ending them', async () => {
    for (const task of [database!, secret!]) await expectRevocation(task);
    await forget(late!);
    await rowsOf(scene.database.adminUrl, 'UPDATE idempotency_key SET replay_until = now()');
    await restartEach(replicas, keys(NEW));
    const flow = traffic();
    expect(await compared('crm', leaseIdOf(late!, 'db'))).toMatchObject([{ kind: 'other_mark', action: 'reported' }]);
    const { faults } = await flow.stop();
    expect(faults).toEqual([]);
    await rowsOf(
      scene.targetUrl,
      `DROP OWNED BY ${roleOf(leaseIdOf(late!, 'db'))}; DROP ROLE ${roleOf(leaseIdOf(late!, 'db'))}`,
    );
  }, 120_000);
});

/** Replaces the signing keys, which the successor of the thirtieth day replaces otherwise. */
async function thirtyOneDaysLater(): Promise<void> {
  await rowsOf(scene.database.adminUrl, 'SET session_replication_role = replica; DELETE FROM signing_key');
}
