import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerProcess, type DatabaseScene, openDatabaseScene } from '../support/broker-process.js';
import { leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, READ_EMEA, secretOf, statesOf, taskIn, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

const [OLD, NEW] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
const keys = (current: string, previous = '') => ({
  MAYFLY_SEALING_KEY: current,
  ...(previous === '' ? {} : { MAYFLY_SEALING_KEY_PREVIOUS: previous }),
});

let scene: DatabaseScene;

beforeAll(async () => {
  scene = await openDatabaseScene();
}, 120_000);
afterAll(() => scene.close());

const agent = () => scene.agentToken('support-agent');

async function ended(broker: BrokerProcess, task: TaskBody): Promise<TaskBody> {
  return until('the task ends', 30, async () => {
    const seen = taskIn(await broker.send(`GET /tasks/${task.id}`, { token: await agent() }));
    return seen.state !== 'active' && seen.state !== 'ending' && seen;
  });
}

/** Completes the task at the broker, and expects that its role at the target is gone. */
async function expectRevocation(broker: BrokerProcess, task: TaskBody): Promise<void> {
  expect(await broker.send(`POST /tasks/${task.id}/complete`, { token: await agent() })).toMatchObject({ status: 200 });
  expect(statesOf(await ended(broker, task))).toMatchObject({ db: 'revoked' });
  expect(await leaseRoles(scene.targetUrl)).not.toContain(roleOf(leaseIdOf(task, 'db')));
}

/** The steps of docs/deploy.md: one process restarts at a time, and another one serves meanwhile. */
describe('a change of the sealing key', () => {
  it('a change of the sealing key stops no service and leaves every lease revocable', async () => {
    const before = [await scene.start(keys(OLD)), await scene.start(keys(OLD))] as const;
    const jwks = await before[0].send('GET /.well-known/jwks.json');
    const kept = await grant(before[0], await agent());
    const short = await grant(before[1], await agent(), { ...READ_EMEA, ttlSeconds: 20 });
    const session = await openTransaction(secretOf(short, 'db', 'url'));

    const prepared: BrokerProcess[] = [];
    for (const broker of before) {
      await broker.stop();
      prepared.push(await scene.start(keys(OLD, NEW)));
    }
    const [one, other] = prepared as [BrokerProcess, BrokerProcess];

    await one.stop();
    const changed = await scene.start(keys(NEW, OLD));
    const sealedNew = await grant(changed, await agent());
    const sealedOld = await grant(other, await agent());
    await expectRevocation(other, sealedNew);
    await expectRevocation(changed, sealedOld);

    await other.stop();
    await expectRevocation(changed, kept);
    await session.ended;
    expect(statesOf(await ended(changed, short))).toMatchObject({ db: 'expired' });
    expect((await changed.send('GET /.well-known/jwks.json')).body).toEqual(jwks.body);
    expect(await changed.stop()).toEqual({ code: 0, signal: null });
  }, 180_000);

  it('a change of the sealing key without the previous key stops the start while a signing key needs it', async () => {
    await expect(scene.start(keys(NEW))).rejects.toThrow(/add it to MAYFLY_SEALING_KEY_PREVIOUS/);
    const broker = await scene.start(keys(NEW, OLD));
    await broker.stop();
  }, 120_000);
});
