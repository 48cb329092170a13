import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { accountOf } from '../contract/aws-accounts.js';
import { AwsFake } from '../contract/aws-fake/aws-fake.js';
import { AwsTarget, type Secret } from '../contract/aws-target.js';
import { startFake } from '../contract/vault-server.js';
import { DATABASE_CONNECTION, VaultTarget } from '../contract/vault-target.js';
import {
  awsConnection,
  awsEnvironment,
  EXPORT_AGENT,
  EXPORT_REQUEST,
  exportTemplate,
} from '../support/aws-documents.js';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { databaseCredential, templateDocument, yamlOf } from '../support/declared.js';
import { until } from '../support/until.js';
import { trustBroker, vaultConnections, warehouseTemplate } from '../support/vault-documents.js';

/** 10 is the size that is measured by hand: a thousand leases, an outage of a minute. */
const SCALE = Number(process.env.LOAD_SCALE ?? 1);
const DUE = 100 * SCALE;
const OUTAGE_MS = SCALE > 1 ? 60_000 : 4_000;
const RECOVERY_SECONDS = 120;
/** a template of another connection, which nothing is wrong with */
const HEALTHY = 'healthy';

const ENOUGH = { quota: { tasksPerMinute: 100_000, concurrentTasks: 100_000 } };
const bodyOf = (template: string) => ({ template, parameters: {}, purpose: 'go through an outage' });

/** The one agent of a test, which calls its broker. */
class Agent {
  constructor(private readonly broker: TestBroker) {}

  send(route: string, body?: unknown): Promise<TestAnswer> {
    return this.broker.send(route, { token: this.broker.agentToken('support-agent'), body });
  }

  /** so many tasks, in whose order they were granted, 16 at a time */
  async grant(count: number, body: object): Promise<{ id: string; secret: Secret }[]> {
    const granted: { id: string; secret: Secret }[] = [];
    let asked = 0;
    const worker = async (): Promise<void> => {
      while (asked++ < count) {
        const answer = await this.send('POST /tasks', body);
        expect(answer.status).toBe(201);
        const [lease] = answer.body.credentials as unknown as { secret: Secret }[];
        granted.push({ id: answer.body.id as string, secret: lease!.secret });
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    return granted;
  }

  async end(tasks: readonly { readonly id: string }[]): Promise<void> {
    const answers = await Promise.all(tasks.map(({ id }) => this.send(`POST /tasks/${id}/complete`)));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  }

  /** Milliseconds of tasks of the healthy connection, one after the other, for as long as `during` lasts. */
  async latencies(during: Promise<unknown>): Promise<number[]> {
    const taken: number[] = [];
    const over = new AbortController();
    const ended = during.finally(() => {
      over.abort();
    });
    while (!over.signal.aborted) {
      const began = performance.now();
      const { status, body } = await this.send('POST /tasks', bodyOf(HEALTHY));
      expect(status).toBe(201);
      taken.push(performance.now() - began);
      await this.send(`POST /tasks/${body.id as string}/complete`);
      await pause(20);
    }
    await ended;
    return taken;
  }
}

function report(what: string, taken: readonly number[]): void {
  const sorted = [...taken].sort((one, other) => one - other);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(0);
  console.log(
    `${what}: another connection's POST /tasks p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${String(taken.length)} of them`,
  );
}

const openLeases = async (broker: TestBroker): Promise<number> => {
  const { rows } = await broker.broker.services.database.pool.query<{ open: number }>(
    `SELECT count(*)::int AS open FROM public.lease WHERE state IN ('minting', 'revoking')`,
  );
  return rows[0]?.open ?? 0;
};

describe('Vault, sealed while many leases are due', () => {
  let target: VaultTarget;
  let broker: TestBroker;
  let agent: Agent;

  beforeAll(async () => {
    target = await VaultTarget.open(startFake);
    const { documents, environment } = vaultConnections(target);
    const warehouse = warehouseTemplate('warehouse', 'reader', { endSessions: DATABASE_CONNECTION }, ENOUGH);
    const healthy = templateDocument(HEALTHY, { ...ENOUGH, credentials: [databaseCredential(DATABASE_CONNECTION)] });
    broker = await startTestBroker({ documents: yamlOf(...documents, warehouse, healthy), environment });
    await trustBroker(target, broker);
    agent = new Agent(broker);
  });
  afterAll(async () => {
    await broker.stop();
    await target.close();
  });

  it('a sealed Vault is reported as such, delays no other request, and all due leases are closed once it is unsealed', async () => {
    const tasks = await agent.grant(DUE, bodyOf('warehouse'));
    expect(await target.users()).toHaveLength(DUE);
    const { fake } = target.server;
    fake!.isSealed = true;
    const outage = (async () => {
      await agent.end(tasks);
      const refused = await agent.send('POST /tasks', bodyOf('warehouse'));
      expect(refused.body).toMatchObject({ reason: expect.stringMatching(/^(sealed|paused)$/) });
      expect([502, 503]).toContain(refused.status);
      await pause(OUTAGE_MS);
    })();
    report('sealed', await agent.latencies(outage));
    expect(await target.users()).toHaveLength(DUE);
    fake!.isSealed = false;
    const began = performance.now();
    const recovery = until('every lease is closed', RECOVERY_SECONDS, async () => (await openLeases(broker)) === 0);
    report('unsealed', await agent.latencies(recovery));
    console.log(
      `${String(DUE)} due leases closed ${((performance.now() - began) / 1000).toFixed(1)} s after the unsealing`,
    );
    expect(await target.users()).toEqual([]);
    expect(fake!.leases.list('database/')).toEqual([]);
  }, 400_000);

  it('a Vault that is sealed while many leases are due continues when the login of the broker was lost', async () => {
    const [first] = await agent.grant(1, bodyOf('warehouse'));
    target.server.fake!.loseLogins();
    const [second] = await agent.grant(1, bodyOf('warehouse'));
    await agent.end([first!, second!]);
    await until('both are closed', 15, async () => (await openLeases(broker)) === 0);
    expect(await target.users()).toEqual([]);
  });
});

describe('AWS, which takes five calls a second while many sessions are due', () => {
  let fake: AwsFake;
  let target: AwsTarget;
  let broker: TestBroker;
  let agent: Agent;

  beforeAll(async () => {
    fake = await AwsFake.start();
    target = await AwsTarget.open(accountOf(fake));
    const role = await target.createRole();
    const healthy = templateDocument(HEALTHY, ENOUGH);
    const documents = yamlOf(EXPORT_AGENT, awsConnection(target), exportTemplate(target, role, ENOUGH), healthy);
    broker = await startTestBroker({ documents, environment: awsEnvironment(target) });
    agent = new Agent(broker);
  });
  afterAll(async () => {
    await broker.stop();
    await target.close();
    await fake.stop();
  });

  it('AWS with five calls a second and many due sessions denies all of them with few calls, and nobody else waits', async () => {
    const tasks = await agent.grant(DUE / 2, EXPORT_REQUEST);
    fake.account.behaviour.callsPerSecond = 5;
    const began = performance.now();
    const ending = agent
      .end(tasks)
      .then(() => until('every lease is closed', RECOVERY_SECONDS, async () => (await openLeases(broker)) === 0));
    report('throttled', await agent.latencies(ending));
    const calls = fake.done.get('PutRolePolicy') ?? 0;
    console.log(
      `${String(tasks.length)} sessions denied and confirmed in ${((performance.now() - began) / 1000).toFixed(1)} s, ${String(calls)} documents written`,
    );
    fake.account.behaviour.callsPerSecond = Infinity;
    for (const { secret } of tasks) expect(await target.isAlive(secret)).toBe(false);
    expect(calls).toBeLessThan(tasks.length);
  }, 400_000);
});
