import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { openDatabaseScene, type BrokerProcess, type DatabaseScene } from '../support/broker-process.js';
import { rowsOf } from '../support/rows.js';
import { grant, READ_EMEA, secretOf } from '../support/tasks.js';
import { until } from '../support/until.js';
import { hasPsql, startWatchdog, watchdogSql } from '../support/watchdog.js';

const isSkipped = !hasPsql();
if (isSkipped) console.warn('SKIPPED SUITE the watchdog of a target without Mayfly: psql is not installed');

const LIMITS = [
  'statement_timeout',
  'idle_session_timeout',
  'idle_in_transaction_session_timeout',
  'transaction_timeout',
];
const TTL_SECONDS = 8;
/** one second of `\watch`, and the rest for a loaded machine */
const LATENESS_SECONDS = 4;

(isSkipped ? describe.skip : describe)('a target whose every Mayfly process is dead', () => {
  let scene: DatabaseScene;
  let broker: BrokerProcess;
  beforeAll(async () => {
    scene = await openDatabaseScene();
    broker = await scene.start();
    const [lessor] = await rowsOf<{ name: string }>(
      scene.targetUrl,
      `SELECT rolname AS name FROM pg_roles WHERE rolcreaterole AND NOT rolsuper ORDER BY rolcanlogin LIMIT 1`,
    );
    await rowsOf(scene.targetUrl, watchdogSql(lessor?.name));
    await rowsOf(scene.targetUrl, `ALTER ROLE mayfly_watchdog PASSWORD 'watch'`);
  }, 120_000);
  afterAll(async () => {
    await rowsOf(scene.targetUrl, 'DROP SCHEMA mayfly_watchdog CASCADE');
    await rowsOf(scene.targetUrl, 'DROP OWNED BY mayfly_watchdog');
    await rowsOf(scene.targetUrl, 'DROP ROLE mayfly_watchdog');
    await scene.close();
  });

  /** Opens a session as an agent does that lifts every time limit, and begins `work` in it. */
  async function agentSession(url: string, work?: string) {
    const client = new pg.Client({ connectionString: url });
    const session = { endedAt: undefined as number | undefined };
    client.on('error', () => undefined);
    client.once('end', () => (session.endedAt = Date.now()));
    await client.connect();
    for (const name of LIMITS) await client.query(`SET ${name} = 0`).catch(() => undefined);
    if (work === 'BEGIN') await client.query(work);
    else if (work !== undefined) void client.query(work).catch(() => undefined);
    return session;
  }

  it('an open session lives on after its deadline, and ends once the watchdog runs; the next one ends at its deadline', async () => {
    const token = await scene.agentToken('support-agent');
    const tasks = [TTL_SECONDS, TTL_SECONDS + 6].map((ttlSeconds) =>
      grant(broker, token, { ...READ_EMEA, ttlSeconds }),
    );
    const [first, second] = await Promise.all(tasks);
    const open = async (task: typeof first) => {
      const url = secretOf(task!, 'db', 'url');
      const works = [undefined, 'BEGIN', 'DO $$ BEGIN LOOP END LOOP; END $$'];
      return Promise.all(works.map((work) => agentSession(url, work)));
    };
    const [early, late] = [await open(first), await open(second)];
    await broker.kill();

    const isOpen = ({ endedAt }: { endedAt: number | undefined }) => endedAt === undefined;
    await pause(Date.parse(first!.expiresAt) + 1_500 - Date.now());
    expect(early.filter(isOpen)).toHaveLength(3);
    await expect(agentSession(secretOf(first!, 'db', 'url'))).rejects.toThrow('password authentication failed');

    const url = new URL(scene.targetUrl);
    [url.username, url.password] = ['mayfly_watchdog', 'watch'];
    const stop = startWatchdog(url.href);
    try {
      await until('the overdue sessions are dead', 10, () => Promise.resolve(!early.some(isOpen)));
      expect(late.filter(isOpen)).toHaveLength(3);
      await until('the other sessions are dead', 20, () => Promise.resolve(!late.some(isOpen)));
      const deadline = Date.parse(second!.expiresAt);
      for (const { endedAt } of late) {
        expect(endedAt).toBeGreaterThanOrEqual(deadline);
        expect(endedAt! - deadline).toBeLessThan(LATENESS_SECONDS * 1000);
      }
    } finally {
      await stop();
    }
    // what is left is ended as usual by the next process
    await scene.start();
    const left = `SELECT FROM pg_roles WHERE rolname IN ('${[first, second].map((task) => secretOf(task!, 'db', 'username')).join("', '")}')`;
    await until('the roles are gone', 30, async () => (await rowsOf(scene.targetUrl, left)).length === 0);
  }, 120_000);
});
