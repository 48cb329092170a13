import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { openBackEnds, PROVIDERS, type BackEndsScene } from '../support/back-ends-scene.js';
import type { TestAnswer } from '../support/broker.js';
import type { BrokerProcess } from '../support/broker-process.js';
import { CrashScript, everyKill, type Kill, type Killed, type Sent } from '../support/crash-kills.js';
import { leftBy, LEASES, randomKills } from '../support/crash-rounds.js';
import { postForm } from '../support/form.js';
import { inTurns } from '../support/in-turns.js';
import { rowsOf } from '../support/rows.js';
import { type CredentialBody, secretOf, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';
import { OUTSTANDING, recoverWhole } from '../support/whole-state.js';

/** Processes that start and die at once: a start takes a second of processor time. */
const AT_ONCE = 3;
/**
 * The longest recovery: a mint at Vault has 45 s, and the claim of a process that died lapses after 30 s. The outstanding
 * mints take as long as Vault may work on a call.
 */
const RECOVERY_SECONDS = 180;
const OUTSTANDING_SECONDS = 240;
/** The hold on a key whose request died lapses after 30 s. */
const HOLD_MS = 31_000;

/** 25 is the size for a long run (`npm run test:deep`); `LOAD_SEED` repeats its rounds. */
const SCALE = Number(process.env.LOAD_SCALE ?? 1);
const SEED = Number(process.env.LOAD_SEED ?? Date.now() % 2 ** 31);
/** Rounds with other counts, another order and pauses, beside a process that recovers meanwhile. */
const ROUNDS = Array.from({ length: Math.floor(SCALE / 5) }, (_, place) => `round-${String(place)}`);

const KILLS = everyKill('matrix');
const killed = new Map<Kill, Killed>();
let scene: BackEndsScene;
let front: BrokerProcess;
let survivor: BrokerProcess;
let killedAt: number;
let script: CrashScript;

beforeAll(async () => {
  scene = await openBackEnds([...KILLS, ...ROUNDS.flatMap(everyKill)].map(({ agent }) => agent));
  front = await scene.start({ MAYFLY_WORKER: 'off' });
  await scene.trust(front);
  script = new CrashScript(scene, front, 'matrix');
  const play = async (kill: Kill) => void killed.set(kill, await script.play(kill));
  // Each of these sweeps for due leases, so that no other kill may have left some.
  const [slowest, ...others] = KILLS;
  const sweeping = others.filter(
    ({ action, step }) => action === 'lockdown' && !['engage', 'end-batch'].includes(step),
  );
  await Promise.all([play(slowest!), inTurns(1, sweeping, play)]);
  await inTurns(
    AT_ONCE,
    others.filter((kill) => !sweeping.includes(kill)),
    play,
  );
  killedAt = performance.now();
  survivor = await scene.start();
}, 600_000);
afterAll(() => scene.close());

const sentOf = (kill: Kill): readonly Sent[] => killed.get(kill)!.sent;
const requestsOf = (...kills: readonly Kill[]) =>
  kills.flatMap((kill) => sentOf(kill).map((sent): readonly [Kill, Sent] => [kill, sent]));
const unanswered = (...kills: readonly Kill[]) => requestsOf(...kills).filter(([, { answer }]) => answer === undefined);
const allSent = (kind: Sent['kind']) => requestsOf(...KILLS).filter(([, sent]) => sent.kind === kind);

interface TaskRow {
  readonly state: string;
  readonly leases: readonly string[];
}

async function tasksOf({ task }: Sent): Promise<readonly TaskRow[]> {
  const [column, value] = 'id' in task ? ['id', task.id] : ['purpose', task.purpose];
  return rowsOf<TaskRow & Record<string, unknown>>(
    scene.database.adminUrl,
    `SELECT t.state, (SELECT array_agg(DISTINCT l.state) FROM lease l WHERE l.task_id = t.id) AS leases
     FROM task t WHERE t.${column} = $1`,
    [value],
  );
}

/** Returns whether the answer to a request was saved for its repetition. */
async function hasSavedAnswer({ key = '' }: Sent): Promise<boolean> {
  const saved = `SELECT FROM idempotency_key WHERE key = $1 AND sealed_answer IS NOT NULL`;
  return (await rowsOf(scene.database.adminUrl, saved, [key])).length > 0;
}

describe.each(KILLS)('a process killed at `$step` of $action', (kill) => {
  it('the process died there, and left requests without an answer', () => {
    const { diedThere, sent } = killed.get(kill)!;
    expect(diedThere).toBe(true);
    expect(unanswered(kill).length).toBeGreaterThanOrEqual(kill.action === 'lockdown' ? 0 : Math.min(kill.count, 4));
    // A request is answered with success, or not at all.
    expect(sent.flatMap(({ answer }) => (answer === undefined || answer.status < 300 ? [] : [answer.body]))).toEqual(
      [],
    );
  });
});

describe('the processes that live on', () => {
  it('a kill before the commit of the intent leaves no task', async () => {
    for (const [kill, sent] of unanswered(...KILLS).filter((one) => leftBy(...one) === 'nothing'))
      expect([kill.step, sent.provider, await tasksOf(sent)]).toEqual([kill.step, sent.provider, []]);
  });

  it('no repeated key gets a second credential', async () => {
    // A key without a task is free again after half a minute.
    await until('the holds have lapsed', 60, () => Promise.resolve(performance.now() > killedAt + HOLD_MS));
    const keyed = [...allSent('mint'), ...allSent('accept')];
    const repeated = await inTurns(8, keyed, async ([kill, sent]) => {
      const isOpen = (await tasksOf(sent)).length > 0;
      const isSaved = await hasSavedAnswer(sent);
      const [first, second] = [await script.send(survivor, kill, sent), await script.send(survivor, kill, sent)];
      return { what: `${kill.step} ${sent.kind} ${sent.provider}`, kill, sent, isOpen, isSaved, first, second };
    });
    for (const { what, kill, sent, isOpen, isSaved, first, second } of repeated) {
      expect([what, first.status, second.status]).toEqual([what, 201, 201]);
      expect([what, secretsIn(second)]).toEqual([what, secretsIn(first)]);
      if (sent.answer !== undefined) expect([what, first.body]).toEqual([what, sent.answer.body]);
      // The secret of an answer that was not saved died with its process.
      else expect([what, secretsIn(first).length]).toEqual([what, !isOpen || isSaved ? 1 : 0]);
      // An answer is saved before it is sent: a request that its failpoint does not stop may have gone as far as that.
      const isStopped = sent.answer === undefined && leftBy(kill, sent) !== 'any';
      if (isStopped) expect([what, isSaved]).toEqual([what, kill.step === 'settle']);
    }
    const opened = await rowsOf(
      scene.database.adminUrl,
      `SELECT purpose FROM task WHERE purpose LIKE 'once %' GROUP BY purpose HAVING count(*) <> 1`,
    );
    expect(opened).toEqual([]);
  }, 180_000);

  it('another process makes providers and database agree on every lease', async () => {
    expect(await recoverWhole(scene, survivor, RECOVERY_SECONDS)).toEqual([]);
    const seconds = Math.round((performance.now() - killedAt) / 1000);
    console.log(`the matrix: ${String(KILLS.length)} kills, whole ${String(seconds)} s after the last one`);
  }, 300_000);

  it('only mints that Vault may still answer are waited for, and not called revoked', async () => {
    const purposes = (await outstanding()).map(({ purpose }) => purpose);
    expect(purposes.filter((purpose) => !/accept record-handle: (mint|child) vault/.test(purpose))).toEqual([]);
  });

  it.each(KILLS)('another process leaves what docs/issuance.md says after `$step` of $action', async (kill) => {
    for (const [, sent] of unanswered(kill)) {
      const left = leftBy(kill, sent);
      if (left === 'nothing' || left === 'any' || sent.kind === 'delegate') continue;
      const [task, ...more] = await tasksOf(sent);
      if (kill.step === 'record-handle' && task?.leases[0] === 'revoking') continue; // outstanding, see above
      const request = `${sent.kind} ${sent.provider}`;
      expect([request, task, more]).toEqual([request, { state: left, leases: [LEASES[left]] }, []]);
    }
  });

  it('no comparison with a target had to end anything but tokens of Vault that died before they were recorded', async () => {
    const ended = await rowsOf<{ purpose: string }>(
      scene.database.adminUrl,
      `SELECT t.purpose FROM audit_entry a LEFT JOIN lease l ON l.id = a.lease_id LEFT JOIN task t ON t.id = l.task_id
       WHERE a.type = 'orphan.ended'`,
    );
    expect(ended.filter(({ purpose }) => !purpose.includes('accept handle: '))).toEqual([]);
  });

  it('a repeated delegation is answered with the first one', async () => {
    for (const [kill, sent] of allSent('delegate')) {
      const [first, second] = [await script.send(survivor, kill, sent), await script.send(survivor, kill, sent)];
      expect([first.status, second.body]).toEqual([201, first.body]);
    }
    const made = await rowsOf(
      scene.database.adminUrl,
      `SELECT FROM delegation WHERE purpose LIKE 'once matrix: delegate%'`,
    );
    expect(made).toHaveLength(PROVIDERS.length);
  });

  it('a renewal that was killed half-way is carried on by the next one', async () => {
    for (const [kill, sent] of allSent('renew')) {
      const answer = await script.send(survivor, kill, sent);
      expect([kill.step, sent.provider, answer.status]).toEqual([kill.step, sent.provider, 200]);
      const [{ expiresAt, providerExpiresAt = '' }] = taskIn(answer).credentials as [CredentialBody];
      // Vault and access tokens count whole seconds.
      expect(Date.parse(expiresAt) - Date.parse(providerExpiresAt)).toBeLessThan(2_000);
    }
  });

  it('a lockdown whose engagement was killed denies, and its operator gets it when asking again', async () => {
    for (const [kill, sent] of allSent('lockdown')) {
      const token = await scene.agentToken(kill.agent);
      const body = { template: 'signed-token', parameters: {}, purpose: 'slip through' };
      const denied = { status: 403, body: { control: 'lockdown' } };
      expect(await survivor.send('POST /tasks', { token, body })).toMatchObject(denied);
      expect(await script.send(survivor, kill, sent)).toMatchObject({ status: 200, body: { state: 'engaged' } });
    }
  });

  it('every access token that was delivered is active exactly while its lease is', async () => {
    const operator = await scene.personToken('operator', 'ada');
    const delivered = allSent('mint').flatMap(([, { provider, answer }]) =>
      provider === 'signed-token' && answer !== undefined ? [taskIn(answer)] : [],
    );
    for (const task of delivered) {
      const token = secretOf(task, 'api', 'token');
      const { text } = await postForm(`${survivor.url}/oauth/introspect`, operator, { token });
      expect(JSON.parse(text)).toMatchObject({ active: true });
    }
  });

  it('everything still agrees after all this', async () => {
    expect(await recoverWhole(scene, survivor, 60)).toEqual([]);
  }, 90_000);

  it('one lockdown ends everything', async () => {
    await endAll();
    expect(await recoverWhole(scene, survivor, 90)).toEqual([]);
    const alive = await rowsOf(scene.database.adminUrl, `SELECT FROM lease WHERE state = 'active'`);
    expect(alive).toEqual([]);
  }, 120_000);
});

const inLongRuns = ROUNDS.length === 0 ? describe.skip : describe;
inLongRuns('kills at random moments, in a long run', () => {
  it(
    'providers and database agree after each round of them',
    async () => {
      for (const [place, round] of ROUNDS.entries()) {
        const random = fc.sample(randomKills(round), { seed: SEED + place, numRuns: 1 })[0]!;
        const inRound = new CrashScript(scene, survivor, round);
        const deaths = await inTurns(AT_ONCE, random, (kill) => inRound.play(kill));
        expect(await recoverWhole(scene, survivor, RECOVERY_SECONDS)).toEqual([]);
        const there = deaths.filter(({ diedThere }) => diedThere).length;
        console.log(
          `${round} of LOAD_SEED=${String(SEED)}: ${String(deaths.length)} kills, ${String(there)} at their step`,
        );
        await endAll();
        expect(await recoverWhole(scene, survivor, RECOVERY_SECONDS)).toEqual([]);
      }
    },
    600_000 * (ROUNDS.length + 1),
  );

  it('no lease is outstanding in the end', async () => {
    await until('the last lease has ended', OUTSTANDING_SECONDS, async () => (await outstanding()).length === 0);
    expect(await recoverWhole(scene, survivor, 60)).toEqual([]);
  }, 330_000);
});

/** Ends every task, and lets the next round be granted again. */
async function endAll(): Promise<void> {
  const ask = async (name: string, route: string, body: object) =>
    survivor.send(route, { token: await scene.personToken('operator', name), body });
  const scope = { kind: 'all' };
  const { body } = await ask('ada', 'POST /lockdowns', { scope, reason: 'the round is over' });
  const path = `/lockdowns/${body.id as string}`;
  await until('the tasks have ended', 60, async () => {
    const token = await scene.personToken('auditor');
    return (await survivor.send(`GET ${path}`, { token })).body.state === 'engaged';
  });
  for (const name of ['ada', 'grace']) await ask(name, `POST ${path}/release`, { reason: 'the round is over' });
}

/** Returns the mints at Vault that Mayfly still waits for. */
function outstanding() {
  return rowsOf<{ purpose: string }>(
    scene.database.adminUrl,
    `SELECT t.purpose FROM (SELECT * FROM lease WHERE ${OUTSTANDING}) l JOIN task t ON t.id = l.task_id`,
  );
}

function secretsIn(answer: TestAnswer): readonly unknown[] {
  return taskIn(answer).credentials.flatMap(({ secret }) => (secret === undefined ? [] : [secret]));
}
