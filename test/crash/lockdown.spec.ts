import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { BrokerProcess } from '../support/broker-process.js';
import { postForm } from '../support/form.js';
import {
  type Call,
  Clients,
  isDelivered,
  isDenied,
  isUnable,
  mayBeUnable,
  tokensIn,
} from '../support/lockdown-clients.js';
import {
  type Ground,
  groundsOf,
  type LockdownScene,
  openLockdownScene,
  type Scope,
  VICTIM,
  VICTIM_AGE_SECONDS,
} from '../support/lockdown-scene.js';
import { rowsOf } from '../support/rows.js';
import { leaseRoles, roleOf } from '../support/target.js';
import { until } from '../support/until.js';

/** 25 is the size for a long run (`npm run test:deep`); `LOAD_SEED` repeats a run. */
const SCALE = Number(process.env.LOAD_SCALE ?? 1);
const SEED = Number(process.env.LOAD_SEED ?? Date.now() % 2 ** 31);
/** An interleaving is one lockdown among requests of its own at every replica. A round plays several at once. */
const INTERLEAVINGS = 20 * SCALE;
const TIME_MS = 60_000 * SCALE;
const IN_A_ROUND = 10;
/** The longest time until the replica that was cut off denies with the lockdown again. */
const BACK_SECONDS = 20;
const DRAIN_SECONDS = 90;
/** Added to the bound of the replica that is cut off, since the machine of the test is busy. */
const BUSY_MS = 2_000;

/** While a process dies at one of these, the engagement or requests are under way in it. */
const FAILPOINTS = [
  ...['engage', 'end-batch', 'claim', 'revoke', 'close'],
  ...['plan', 'open', 'open:3', 'mint', 'mint:2', 'activate', 'answer', 'record-renewal', 'renew:2'],
];

const rounds = fc.record({
  /** one lockdown of everything instead of one for each ground */
  isBroad: fc.constantFrom(true, ...Array.from({ length: 11 }, () => false)),
  broad: fc.constantFrom<Scope>({ kind: 'all' }, { kind: 'issuer', name: 'development' }),
  /** the process is stopped, the database refuses it, or its answers are lost */
  cut: fc.constantFrom('frozen', 'refused', 'silent'),
  cutAfter: fc.nat({ max: 400 }),
  cutFor: fc.integer({ min: 300, max: VICTIM_AGE_SECONDS * 1000 + 1_500 }),
  stories: fc.array(
    fc.record({
      engageAfter: fc.nat({ max: 700 }),
      engagedBy: fc.constantFrom<0 | 2 | 'dying'>(0, 2, 0, 2, 'dying'),
      pauseMs: fc.integer({ min: 10, max: 60 }),
    }),
    { minLength: IN_A_ROUND, maxLength: IN_A_ROUND },
  ),
});
type Round = typeof rounds extends fc.Arbitrary<infer T> ? T : never;
type Story = Round['stories'][number];

interface Engaged {
  readonly id: string;
  readonly at: number;
  readonly scope: Scope;
}

/** Two halves: while the leases of one round end, the next round uses the other half. */
const GROUNDS = groundsOf(2 * IN_A_ROUND);
const HALVES = [GROUNDS.slice(0, IN_A_ROUND), GROUNDS.slice(IN_A_ROUND)] as const;

/** Of the processes that die, in their order; each starts while the round before it is played. */
const DEATHS = fc.sample(fc.constantFrom(...FAILPOINTS), { seed: SEED, numRuns: INTERLEAVINGS });

let scene: LockdownScene;
let nextDying: Promise<BrokerProcess>;
beforeAll(async () => {
  scene = await openLockdownScene(GROUNDS);
  nextDying = scene.startDying(DEATHS[0]!);
}, 180_000);
afterAll(() => scene.close());

describe('three replicas, of which one is cut off, and a fourth that dies', () => {
  const seen = {
    ...{ interleavings: 0, rounds: 0, calls: 0, granted: 0, arrivedLate: 0, after: 0, deliveredAfter: 0 },
    ...{ deniedByVictim: 0, deniedByItself: 0, firstOwnDenialMs: 0, killed: 0, seconds: 0 },
  };
  let ending: Promise<void> = Promise.resolve();

  it(
    'the replicas deliver nothing that was asked for after the answer of a lockdown',
    async () => {
      const endsAt = performance.now() + TIME_MS;
      const property = fc.asyncProperty(rounds, async (round) => {
        if (seen.interleavings < INTERLEAVINGS && performance.now() < endsAt) await play(round);
      });
      console.log(`lockdowns among three processes: LOAD_SEED=${String(SEED)}`);
      // A shorter round would be another race, so a failure is not shrunk.
      await fc.assert(property, { seed: SEED, numRuns: INTERLEAVINGS, endOnFailure: true });
      await ending;
      seen.seconds = Math.round((performance.now() - endsAt + TIME_MS) / 1000);
      console.log(`lockdowns among three processes: ${JSON.stringify(seen)}`);
      expect(seen.deliveredAfter).toBe(0);
      expect(seen.granted).toBeGreaterThan(seen.interleavings);
      expect(seen.deniedByVictim).toBeGreaterThan(0);
    },
    TIME_MS * 3 + 120_000,
  );

  async function play(round: Round): Promise<void> {
    const grounds = HALVES[seen.rounds % 2]!;
    const dying = await nextDying;
    nextDying = scene.startDying(DEATHS[seen.rounds + 1]!);
    const clients = grounds.map(
      (ground, place) => new Clients(scene, ground, round.stories[place]!.pauseMs, place < 4 ? dying : undefined),
    );
    await until('each replica grants', BACK_SECONDS, () => Promise.resolve(clients.every((one) => one.isGranted)));
    const cutting = cutAfter(round);
    const engaged = await engageAll(round, grounds, dying);
    const cut = await cutting;
    await pause(round.cutFor);
    const restoredAt = performance.now();
    cut.restore();
    await Promise.all(clients.map((one) => untilDenying(one)));
    const calls = await Promise.all(clients.map((one) => one.stop()));
    calls.forEach((ofGround, place) => judge(ofGround, (engaged[place] ?? engaged[0])!.at));
    await expectInactive(calls.flat());
    countOwnDenials(calls.flat(), { from: cut.at, until: restoredAt, isFrozen: round.cut === 'frozen' });
    seen.rounds += 1;
    seen.interleavings += engaged.length;
    await buried(dying);
    // The end of the round before this one, whose grounds the next one uses.
    await ending;
    ending = settle(grounds, engaged);
    if (round.isBroad) await ending;
  }

  /** A grant or a renewal that was sent after the answer must be denied, or not answered by who cannot know. */
  function judge(calls: readonly Call[], engagedAt: number): void {
    const after = calls.filter(({ sentAt }) => sentAt > engagedAt);
    const delivered = after.filter(isDelivered);
    const wrong = after.filter((call) => !isDenied(call) && !(mayBeUnable(call) && isUnable(call)));
    expect(wrong.map(({ replica, answer }) => ({ replica, status: answer?.status, body: answer?.body }))).toEqual([]);
    const granted = calls.filter(isDelivered);
    seen.calls += calls.length;
    seen.granted += granted.length;
    seen.arrivedLate += granted.filter(({ arrivedAt }) => arrivedAt > engagedAt).length;
    seen.after += after.length;
    seen.deliveredAfter += delivered.length;
    seen.deniedByVictim += after.filter((call) => call.replica === VICTIM && isDenied(call)).length;
  }

  /** A replica that is cut off for longer than its bound denies by itself: it answers, and delivers nothing. */
  function countOwnDenials(calls: readonly Call[], cut: { from: number; until: number; isFrozen: boolean }): void {
    if (cut.isFrozen) return;
    const bound = cut.from + VICTIM_AGE_SECONDS * 1000;
    const meanwhile = calls.filter(
      ({ replica, sentAt }) => replica === VICTIM && sentAt > cut.from && sentAt < cut.until,
    );
    const past = meanwhile.filter(({ sentAt }) => sentAt > bound + BUSY_MS);
    expect(past.filter((call) => !isUnable(call) && !isDenied(call))).toEqual([]);
    const own = meanwhile.filter(({ answer, arrivedAt }) => answer?.status === 503 && arrivedAt < cut.until);
    seen.deniedByItself += own.length;
    const first = Math.min(...own.filter(({ sentAt }) => sentAt > bound).map(({ arrivedAt }) => arrivedAt - cut.from));
    if (Number.isFinite(first)) seen.firstOwnDenialMs = Math.max(seen.firstOwnDenialMs, Math.round(first));
  }

  async function buried(dying: BrokerProcess): Promise<void> {
    const exit = await Promise.race([dying.exited, pause(0)]);
    if (exit?.signal === 'SIGKILL') seen.killed += 1;
    else await dying.kill();
  }
});

/** Engages a lockdown of each ground, or one of everything. */
function engageAll({ isBroad, broad, stories }: Round, grounds: readonly Ground[], dying: BrokerProcess) {
  if (isBroad) return engageAfter(stories[0]!, broad, dying).then((one) => [one]);
  return Promise.all(grounds.map(({ scope }, place) => engageAfter(stories[place]!, scope, dying)));
}

/** Engages by a replica. When it dies meanwhile, or too many grants are under way, the operator asks another one again. */
async function engageAfter(
  { engageAfter: delay, engagedBy }: Story,
  scope: Scope,
  dying: BrokerProcess,
): Promise<Engaged> {
  await pause(delay);
  const token = await scene.personToken('operator', 'ada');
  const body = { scope, reason: 'incident 1' };
  const first = engagedBy === 'dying' ? dying : scene.replicas[engagedBy]!;
  return until('the lockdown is engaged', BACK_SECONDS, async () => {
    for (const replica of [first, scene.replicas[0]!]) {
      const answer = await replica.send('POST /lockdowns', { token, body }).catch(() => undefined);
      if (answer === undefined || answer.status === 503) continue;
      expect([200, 201]).toContain(answer.status);
      return { id: answer.body.id as string, at: performance.now(), scope };
    }
    return undefined;
  });
}

/** Cuts one replica off, and returns the function that ends this. */
async function cutAfter({ cutAfter: delay, cut }: Round): Promise<{ readonly at: number; restore(): void }> {
  await pause(delay);
  const { door } = scene;
  const victim = scene.replicas[VICTIM]!;
  if (cut === 'refused') door.close();
  else if (cut === 'silent') door.holdAnswers(true);
  else victim.signal('SIGSTOP');
  const restore = (): void => {
    door.open();
    if (cut === 'silent') door.holdAnswers(false);
    if (cut === 'frozen') victim.signal('SIGCONT');
  };
  return { at: performance.now(), restore };
}

async function untilDenying(clients: Clients): Promise<void> {
  await until('the replica that was cut off denies with the lockdown', BACK_SECONDS, async () =>
    isDenied(await clients.ask(scene.replicas[VICTIM]!, VICTIM)),
  );
}

/** Waits until the credentials of the lockdowns are dead, at the database server too, and releases the lockdowns. */
async function settle(grounds: readonly Ground[], engaged: readonly Engaged[]): Promise<void> {
  for (const { id } of engaged) await untilDrained(id);
  const leases = await rowsOf<{ id: string }>(
    scene.database.adminUrl,
    `SELECT id FROM lease WHERE provider = 'postgres' AND template_name = ANY ($1::text[])`,
    [grounds.map(({ name }) => name)],
  );
  const alive = await leaseRoles(scene.rolesUrl);
  expect(leases.map(({ id }) => roleOf(id)).filter((role) => alive.includes(role))).toEqual([]);
  await Promise.all(engaged.map((one) => release(one)));
}

async function untilDrained(id: string): Promise<void> {
  const token = await scene.personToken('auditor');
  await until('every lease of the lockdown is dead', DRAIN_SECONDS, async () => {
    const { body } = await scene.replicas[0]!.send(`GET /lockdowns/${id}`, { token });
    return body.state === 'engaged' && (body.progress as { revoking: number }).revoking === 0;
  });
}

/** Expects that no token of the calls is active, whichever replica is asked: of each replica, the latest ones. */
async function expectInactive(calls: readonly Call[]): Promise<void> {
  const operator = await scene.personToken('operator', 'ada');
  for (const [place, { url }] of scene.replicas.entries()) {
    const tokens = tokensIn(calls.filter(({ replica }) => replica === place)).slice(-10);
    for (const token of tokens)
      expect(JSON.parse((await postForm(`${url}/oauth/introspect`, operator, { token })).text)).toEqual({
        active: false,
      });
  }
}

async function release({ id }: Engaged): Promise<void> {
  for (const name of ['ada', 'grace']) {
    const token = await scene.personToken('operator', name);
    const body = { reason: 'it is over' };
    const { status } = await scene.replicas[2]!.send(`POST /lockdowns/${id}/release`, { token, body });
    expect(status).toBe(name === 'ada' ? 202 : 200);
  }
}
