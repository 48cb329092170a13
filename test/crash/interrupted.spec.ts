import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { TestAnswer } from '../support/broker.js';
import { openDatabaseScene, type BrokerProcess, type DatabaseScene } from '../support/broker-process.js';
import { recovered, takeCensus } from '../support/recovery.js';
import { rowsOf } from '../support/rows.js';
import { leaseRoles, openTransaction } from '../support/target.js';
import { grant, READ_EMEA, secretOf, statesOf, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

let scene: DatabaseScene;
let others: readonly string[];
let witness: BrokerProcess;

beforeAll(async () => {
  scene = await openDatabaseScene();
  others = await leaseRoles(scene.targetUrl);
  witness = await scene.start();
  // makes the role of the scope, so that from now on a mint makes one role only
  const token = await scene.agentToken('support-agent');
  await witness.send(`POST /tasks/${(await grant(witness, token)).id}/complete`, { token });
}, 120_000);
afterAll(() => scene.close());

/** Steps that release what a failed test would leave held or frozen. */
const undo: (() => unknown)[] = [];
afterEach(() => Promise.all(undo.splice(0).map((step) => step())));

/** While it is held, no role on the server can be made or changed. */
async function holdRoles(): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: scene.targetUrl });
  await client.connect();
  undo.push(() => client.end());
  for (const statement of ['BEGIN', 'LOCK TABLE pg_authid IN SHARE MODE']) await client.query(statement);
  return () => client.end();
}

async function isWaiting(): Promise<boolean> {
  const rows = await rowsOf(
    scene.targetUrl,
    `SELECT FROM pg_stat_activity WHERE query LIKE '%CREATE ROLE%' AND wait_event_type = 'Lock'`,
  );
  return rows.length > 0;
}

interface MintingTask {
  readonly id: string;
  readonly state: string;
  readonly end_cause: string | null;
  readonly late: boolean;
}

async function taskOf(purpose: string): Promise<MintingTask | undefined> {
  const [task] = await rowsOf<MintingTask>(
    scene.database.adminUrl,
    `SELECT t.id, t.state, t.end_cause, now() > l.mint_by AS late FROM task t JOIN lease l ON l.task_id = t.id
     WHERE t.purpose = $1 AND l.provider = 'postgres'`,
    [purpose],
  );
  return task;
}

/** A request whose mint is stuck at the target in a service that is frozen. */
async function freezeWhileMinting(purpose: string, waitsFor: () => Promise<unknown>) {
  const frozen = await scene.start({ MAYFLY_WORKER: 'off' });
  const letGo = await holdRoles();
  const answer = frozen
    .send('POST /tasks', { token: await scene.agentToken('support-agent'), body: { ...READ_EMEA, purpose } })
    .catch((error: unknown) => error as Error);
  await until('the mint waits', 10, isWaiting);
  frozen.signal('SIGSTOP');
  undo.push(() => {
    frozen.signal('SIGCONT');
  });
  await waitsFor();
  await letGo();
  const wake = async (): Promise<TestAnswer | Error> => {
    frozen.signal('SIGCONT');
    return answer;
  };
  return { wake };
}

async function expectNothingGranted(purpose: string, answer: TestAnswer | Error): Promise<void> {
  const task = await until('the task ends', 40, async () => {
    const seen = await taskOf(purpose);
    return seen?.state !== 'active' && seen;
  });
  expect(task).toMatchObject({ state: 'failed', end_cause: 'issuance_failed' });
  expect(answer).not.toBeInstanceOf(Error);
  expect(answer).toMatchObject({ body: { taskId: task.id } });
  expect([409, 502, 503]).toContain((answer as TestAnswer).status);
  expect(JSON.stringify((answer as TestAnswer).body)).not.toContain('secret');
}

describe('a service frozen while the target works', () => {
  it('a service that was frozen gives nothing out when another replica has revoked its mint', async () => {
    const purpose = 'mint while frozen';
    const { wake } = await freezeWhileMinting(purpose, () => Promise.resolve());
    await until('the role exists', 10, async () => (await takeCensus(scene, others)).roles.length === 1);
    await until('the other replica has taken it back', 40, async () => (await taskOf(purpose))?.state === 'failed');
    expect(await leaseRoles(scene.targetUrl)).toEqual(others);
    await expectNothingGranted(purpose, await wake());
    expect(await recovered(scene, others)).toMatchObject({ roles: [], active: [], counted: 0, living: 0 });
  }, 120_000);

  it('a service that was frozen leaves nothing at a target that acts after `mintBy`', async () => {
    const purpose = 'mint too late';
    const isLate = () => until('mintBy passes', 20, async () => (await taskOf(purpose))?.late);
    const { wake } = await freezeWhileMinting(purpose, isLate);
    await expectNothingGranted(purpose, await wake());
    expect(await recovered(scene, others)).toMatchObject({ roles: [], active: [], counted: 0, living: 0 });
  }, 120_000);
});

describe('a service killed while a completion is under way', () => {
  it('a service killed while a completion is under way has recorded the completion, which another replica carries out', async () => {
    const token = await scene.agentToken('support-agent');
    const victim = await scene.start({ MAYFLY_WORKER: 'off' });
    const task = await grant(victim, token);
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    const letGo = await holdRoles();
    const completing = victim.send(`POST /tasks/${task.id}/complete`, { token }).catch(() => 'no answer');
    await until('the end is recorded', 10, async () => {
      const { endCause } = taskIn(await witness.send(`GET /tasks/${task.id}`, { token }));
      return endCause === 'completed';
    });
    await victim.kill();
    expect(await completing).toBe('no answer');
    await letGo();
    const ended = await until('the completion is carried out', 60, async () => {
      const seen = taskIn(await witness.send(`GET /tasks/${task.id}`, { token }));
      return seen.state !== 'active' && seen;
    });
    expect(ended).toMatchObject({ state: 'completed', endCause: 'completed' });
    expect(statesOf(ended)).toEqual({ db: 'revoked', api: 'revoked' });
    await session.ended;
    expect(await recovered(scene, others)).toMatchObject({ roles: [], active: [], counted: 0, living: 0 });
  }, 120_000);
});
