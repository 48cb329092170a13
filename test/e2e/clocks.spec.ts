import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { FakeAwsTarget } from '../contract/aws-fake-target.js';
import {
  awsConnection,
  awsEnvironment,
  EXPORT_AGENT,
  EXPORT_REQUEST,
  exportTemplate,
} from '../support/aws-documents.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { yamlOf } from '../support/declared.js';
import { giveBack } from '../support/give-back.js';
import { grant, READ_EMEA, statesOf, taskIn, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

/** of the issuer, for a token that has expired */
const TOLERANCE_SECONDS = 10;

const metricOf = async ({ url }: TestBroker, name: string): Promise<string | undefined> =>
  (await (await fetch(`${url}/metrics`)).text()).split('\n').find((line) => line.startsWith(name));

describe('a target whose clock is wrong', () => {
  let scene: FakeAwsTarget;
  let mayfly: TestBroker;
  beforeAll(async () => {
    scene = await FakeAwsTarget.open();
    const { target, role } = scene;
    const documents = yamlOf(EXPORT_AGENT, awsConnection(target), exportTemplate(target, role));
    mayfly = await startTestBroker({ documents, environment: awsEnvironment(target) });
  });
  afterAll(async () => {
    await mayfly.stop();
    await scene.close();
  });
  const ask = () => mayfly.send('POST /tasks', { token: mayfly.agentToken('support-agent'), body: EXPORT_REQUEST });

  it('a wrong clock refuses grants, ends what the first mint made, and is found right again by a test of the connection', async () => {
    const { behaviour } = scene.fake.account;
    expect((await ask()).status).toBe(201);
    behaviour.clockOffsetSeconds = 30;
    const first = await ask();
    const refused = { status: 503, body: { reason: 'clock-difference' } };
    expect(first).toMatchObject(refused);
    expect(first.body.detail).toMatch(/connection `aws-crm` is (29|30|31) s ahead of that of Mayfly's database/);
    const ended = `SELECT FROM public.task t JOIN public.lease l ON l.task_id = t.id WHERE t.state = 'failed' AND l.state = 'revoked'`;
    const { pool } = mayfly.broker.services.database;
    await until('the session is denied', 20, async () => (await pool.query(ended)).rowCount === 1);
    const made = scene.fake.account.principals.size;
    expect(await ask()).toMatchObject(refused);
    expect(scene.fake.account.principals.size).toBe(made);
    expect(await metricOf(mayfly, 'mayfly_clock_offset_seconds')).toMatch(/connection="aws-crm"\} (29|30)/);

    const test = async () => {
      const token = mayfly.personToken('platform');
      const { body } = await mayfly.send('POST /connections/aws-crm/test', { token });
      const checks = body.checks as { name: string; outcome: string; detail: string }[];
      return checks.find(({ name }) => name === 'the clocks agree');
    };
    expect(await test()).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('s ahead of') });
    behaviour.clockOffsetSeconds = 0;
    expect(await test()).toMatchObject({ outcome: 'ok' });
    expect((await ask()).status).toBe(201);
  });
});

describe('a process whose system clock jumps', () => {
  let mayfly: TestBroker;
  beforeAll(async () => {
    mayfly = await startTestBroker();
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  afterAll(async () => {
    await giveBack(mayfly);
    await mayfly.stop();
  });

  /** Moves the system clock of this process, and so of its broker; every timer and the monotonic clock go on. */
  function jump(seconds: number): void {
    const left = [
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'setImmediate',
      'clearImmediate',
    ] as const;
    const more = ['nextTick', 'queueMicrotask', 'performance', 'hrtime'] as const;
    jest.useFakeTimers({ now: Date.now() + seconds * 1000, doNotFake: [...left, ...more] });
  }
  const lifetimeOf = ({ createdAt, expiresAt }: TaskBody): number =>
    (Date.parse(expiresAt) - Date.parse(createdAt)) / 1000;
  const databaseNow = async (): Promise<number> => {
    const { rows } = await mayfly.broker.services.database.pool.query<{ now: Date }>('SELECT now()');
    return rows[0]!.now.getTime();
  };

  it.each([7_200, -7_200])(
    'a jump by %s s ends no task early, extends none, and changes no lifetime of a new one',
    async (seconds) => {
      const tokens = Array.from({ length: 4 }, () => mayfly.agentToken('support-agent'));
      const [running, short] = [
        await grant(mayfly, tokens[0]!, { ...READ_EMEA, ttlSeconds: 600, heartbeatTimeoutSeconds: 30 }).catch(() =>
          grant(mayfly, tokens[0]!, { ...READ_EMEA, ttlSeconds: 600 }),
        ),
        await grant(mayfly, tokens[1]!, { ...READ_EMEA, ttlSeconds: 4 }),
      ];
      const expiring = mayfly.issuers.workloads.sign({
        sub: 'support-agent',
        iat: Math.floor(Date.now() / 1000) - 300,
        exp: Math.floor(Date.now() / 1000) + 6 - TOLERANCE_SECONDS,
      });
      const me = () => mayfly.send('GET /me', { token: expiring });
      expect((await me()).status).toBe(200);

      jump(seconds);
      const now = await databaseNow();
      const later = await grant(mayfly, tokens[2]!, { ...READ_EMEA, ttlSeconds: 60 });
      expect(lifetimeOf(later)).toBe(60);
      expect(Math.abs(Date.parse(later.createdAt) - now)).toBeLessThan(3_000);
      const beat = await mayfly.send(`POST /tasks/${running.id}/heartbeat`, { token: tokens[3]! });
      expect(beat.status).toBeLessThan(300);
      const find = async ({ id }: TaskBody) => taskIn(await mayfly.send(`GET /tasks/${id}`, { token: tokens[3]! }));
      const ended = await until('the short task is over', 15, async () => {
        const task = await find(short);
        return task.state !== 'active' && task;
      });
      expect(ended).toMatchObject({ state: 'expired' });
      // some rounds of the sweep
      await pause(2_500);
      for (const task of [running, later]) {
        const seen = await find(task);
        expect(seen.state).toBe('active');
        expect(seen.expiresAt).toBe(task.expiresAt);
        expect(statesOf(seen)).toEqual({ db: 'active', api: 'active' });
      }
      // the token was proven before the jump, and the memo of its proof does not outlive it
      expect((await me()).status).toBe(401);
    },
  );
});
