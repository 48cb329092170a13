import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TaskIntent } from '@mayfly/issuance';
import { type AgentId, type LockdownId, newId } from '@mayfly/kernel';
import { covers, LOCKDOWN_KINDS, type LockdownKind, type LockdownScope, type LockdownSubject } from '@mayfly/tasks';
import { activationOf, TaskDatabase, taskIntent } from '@mayfly/testing';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { requestStoresOn } from '../request-stores.fixture.js';
import { TaskEndings } from '../tasks/task-endings.js';
import { newLockdown, OPERATOR } from './lockdown.fixture.js';
import { PgLockdownStore } from './lockdown.store.js';

/** 25 is the size for a long run (`npm run test:deep`), 10,000 stories; `LOAD_SEED` repeats a run. */
const SCALE = Number(process.env.LOAD_SCALE ?? 1);
const SEED = Number(process.env.LOAD_SEED ?? Date.now() % 2 ** 31);
const STORIES = 400 * SCALE;
const STORY_TIME_MS = SCALE === 1 ? 25_000 : 120_000 * SCALE;
const REPLICAS = 3;
/** Old rows slow down the search for tasks to end. */
const STORIES_BETWEEN_EMPTYINGS = 50;

/** Widens the time between the reading of the guards and the commit. */
const SLOW_WRITES = `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(random() * 0.002); RETURN NULL; END';
  CREATE TRIGGER slow AFTER INSERT OR UPDATE ON lease FOR EACH STATEMENT EXECUTE FUNCTION slow()`;

const STEPS = ['renewedAtProvider', 'renew', 'heartbeat', 'complete'] as const;
type Step = (typeof STEPS)[number];

const delays = fc.nat({ max: 8 });
const calls = fc.record({
  isUnder: fc.boolean(),
  opensActive: fc.boolean(),
  replica: fc.nat({ max: REPLICAS - 1 }),
  delay: delays,
  pause: fc.nat({ max: 3 }),
  steps: fc.array(fc.constantFrom(...STEPS), { maxLength: 4 }),
});
const stories = fc.record({
  // A tree is locked down by its root, which is open before: `knows` refuses other names.
  kind: fc.constantFrom(...LOCKDOWN_KINDS.filter((kind) => kind !== 'tree')),
  engagesAfter: delays,
  /** the replica that engages dies: after the commit without an answer, or after this many batches of endings */
  diesAt: fc.constantFrom(undefined, 'engage', 1, 2, 3),
  tasks: fc.array(calls, { minLength: 6, maxLength: 24 }),
});
type Call = typeof calls extends fc.Arbitrary<infer T> ? T : never;
type Story = typeof stories extends fc.Arbitrary<infer T> ? T : never;

/** A call of a store: `isGranted` when it opened, activated, renewed or kept something alive. */
interface Answer {
  readonly step: 'open' | 'activate' | Step;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly isGranted: boolean;
}

interface Run {
  readonly intent: TaskIntent;
  readonly isUnder: boolean;
  readonly answers: Answer[];
}

let scene: TaskDatabase;
let replicas: readonly ReturnType<typeof requestStoresOn>[];
let store: PgLockdownStore;
let endings: TaskEndings;
let dyingPool: Pool;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  await scene.query(SLOW_WRITES);
  replicas = Array.from({ length: REPLICAS }, () => requestStoresOn(scene, scene.pool()));
  const pool = scene.pool();
  endings = new TaskEndings(pool, replicas[0]!.closing, 4);
  dyingPool = scene.pool();
  store = new PgLockdownStore(pool, endings);
});
afterAll(() => scene.stop());

describe('an engagement among grants', () => {
  const seen = { stories: 0, deaths: 0, calls: 0, during: 0, grantedDuring: 0, after: 0, grantedAfter: 0 };

  /** A failure prints the seed and the shortest story that was found; `{ seed, path }` as options repeat it. */
  it(
    'an engagement among grants refuses every later one, ends every earlier one, and no task beside its scope',
    async () => {
      const endsAt = performance.now() + STORY_TIME_MS;
      const property = fc.asyncProperty(stories, async (story) => {
        if (performance.now() < endsAt) await tell(story);
      });
      console.log(`engagements among grants: LOAD_SEED=${String(SEED)}`);
      await fc.assert(property, { seed: SEED, numRuns: STORIES });
      console.log(`engagements among grants: ${JSON.stringify(seen)}`);
      // The test proves nothing unless calls of both outcomes overlapped engagements.
      expect(seen.grantedDuring).toBeGreaterThan(50);
      expect(seen.during - seen.grantedDuring).toBeGreaterThan(50);
      expect(seen.after).toBeGreaterThan(50);
    },
    STORY_TIME_MS * 2,
  );

  async function tell(story: Story): Promise<void> {
    if (seen.stories++ % STORIES_BETWEEN_EMPTYINGS === 0) await scene.empty();
    const names = await declared();
    const intents = story.tasks.map((call) => intentOf(call, call.isUnder ? names.under : names.beside));
    const scope = scopeOf(story.kind, names.under.name, intents);
    const runs = intents.map((intent) => ({ intent, isUnder: covers(scope, subjectOf(intent)), answers: [] }));
    const [engaged] = await Promise.all([
      engageAfter(story, scope),
      ...story.tasks.map((call, place) => play(call, runs[place]!)),
    ]);
    const stored = await storedOf(runs);
    seen.deaths += engaged.isDead ? 1 : 0;
    for (const run of runs) {
      count(run, engaged);
      refusedAfter(run, engaged.endedAt);
      (run.isUnder ? expectEnded : expectUntouched)(run, stored.get(run.intent.task.id));
    }
    await lift();
  }

  function count({ isUnder, answers }: Run, { startedAt, endedAt }: Engaged): void {
    const during = answers.filter((answer) => answer.startedAt < endedAt && answer.endedAt > startedAt);
    seen.calls += answers.length;
    if (!isUnder) return;
    seen.during += during.length;
    seen.grantedDuring += during.filter(({ isGranted }) => isGranted).length;
    const after = answers.filter((answer) => answer.startedAt > endedAt);
    seen.after += after.length;
    seen.grantedAfter += after.filter(({ isGranted }) => isGranted).length;
  }
});

interface Names {
  readonly name: string;
  readonly agentId: AgentId;
}

/** Declares an agent with its owner and a template, twice, under names that no other story has. */
async function declared(): Promise<{ under: Names; beside: Names }> {
  const [under, beside] = ['under', 'beside'].map((word) => {
    const agentId = newId('agt');
    return { agentId, name: `${word}-${agentId}` };
  }) as [Names, Names];
  const both = [under, beside].map(({ name }) => name);
  await scene.query(
    `INSERT INTO agent (id, name, spec, state, updated_by)
     SELECT id, name, jsonb_build_object('owner', name), 'active', 'test' FROM unnest($1::text[], $2::text[]) AS a(id, name)`,
    [[under.agentId, beside.agentId], both],
  );
  await scene.query(
    `INSERT INTO template (name, state, current_version) SELECT name, 'published', 1 FROM unnest($1::text[]) AS t(name)`,
    [both],
  );
  return { under, beside };
}

/** Everything about the task that a lockdown may name has the one name. */
function intentOf({ opensActive }: Call, { name, agentId }: Names): TaskIntent {
  const made = taskIntent(scene.clock, {
    ...{ agentId, template: { name, version: 1 }, connections: [name] },
    ...{ leaseState: opensActive ? 'active' : 'minting', heartbeatTimeoutSeconds: 60 },
    quota: { tasksPerMinute: 100_000, concurrentTasks: 100_000 },
  } as const);
  return { ...made, issuer: name, task: { ...made.task, runtime: name, agent: { id: agentId, name } } };
}

function subjectOf({ task, issuer, leases }: TaskIntent): LockdownSubject {
  return {
    ...{ taskId: task.id, agent: task.agent.name, template: task.template.name, owners: [task.agent.name] },
    ...{ runtime: task.runtime, issuer, connections: leases.flatMap(({ connection }) => connection ?? []) },
  };
}

function scopeOf(kind: LockdownKind, name: string, [first]: readonly TaskIntent[]): LockdownScope {
  if (kind === 'all') return { kind, name: '' };
  return { kind, name: kind === 'task' ? first!.task.id : name };
}

interface Engaged {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly isDead: boolean;
}

/**
 * Engages, and ends the tasks at once: grants under way then must not commit any more. When the replica dies meanwhile,
 * the operator engages again by another one, and workers end the rest.
 */
async function engageAfter({ engagesAfter, diesAt }: Story, scope: LockdownScope): Promise<Engaged> {
  await pause(engagesAfter);
  const startedAt = performance.now();
  const engagement = newLockdown(scene.clock, scope);
  let id = await store.engage(engagement);
  // The answer of the first engagement was lost; the second one finds it in force.
  if (diesAt === 'engage') id = await store.engage(newLockdown(scene.clock, scope));
  expect(id).toBe(engagement.id);
  const endedAt = performance.now();
  const isDead = typeof diesAt === 'number' && (await endTasksUntilDeath(id, diesAt));
  if (diesAt === undefined) await store.endTasks(id);
  else await endAsWorker();
  return { startedAt, endedAt, isDead: isDead || diesAt === 'engage' };
}

/** Ends all tasks as a worker does: it comes again while another session holds the row of a task. */
async function endAsWorker(): Promise<void> {
  while ((await endings.round()) || (await scene.query('SELECT FROM task_ending')).length > 0);
}

/** True when the replica died before its last batch. */
async function endTasksUntilDeath(id: LockdownId, batches: number): Promise<boolean> {
  let left = batches;
  const dies = () => (--left === 0 ? Promise.reject(new Error('the replica died')) : undefined);
  const dying = new TaskEndings(dyingPool, replicas[0]!.closing, 4, { reached: dies });
  return dying.finish(id).then(
    () => false,
    () => true,
  );
}

/** Makes the calls of one task, one after the other. */
async function play(call: Call, { intent, answers }: Run): Promise<void> {
  const stores = replicas[call.replica]!;
  const { id } = intent.task;
  const make = async (step: Answer['step'], work: () => Promise<boolean>): Promise<boolean> => {
    const startedAt = performance.now();
    const isGranted = await work();
    answers.push({ step, startedAt, endedAt: performance.now(), isGranted });
    return isGranted;
  };
  const later = new Date(intent.task.expiresAt.getTime() + 60_000);
  const steps: Record<Step, () => Promise<boolean>> = {
    renewedAtProvider: () => stores.tasks.renewedAtProvider(intent.leases[0]!.id, later),
    renew: () => stores.tasks.renew({ taskId: id, expiresAt: later, dueAt: later, audit: [], wakeUps: [] }),
    heartbeat: () => stores.tasks.heartbeat(id, scene.clock.now(), later),
    complete: async () => {
      await stores.closing.requestEnd({ taskId: id, cause: 'completed', actor: OPERATOR });
      return false;
    },
  };
  await pause(call.delay);
  if (!(await make('open', async () => (await stores.issuance.open(intent)) === 'opened'))) return;
  if (!call.opensActive) {
    await pause(call.pause);
    await make('activate', () => stores.issuance.activate(activationOf(intent)));
  }
  for (const step of call.steps) {
    await pause(call.pause);
    await make(step, steps[step]);
  }
}

function refusedAfter({ isUnder, answers }: Run, engagedAt: number): void {
  const late = answers.filter(({ startedAt, isGranted }) => isUnder && isGranted && startedAt > engagedAt);
  expect(late).toEqual([]);
}

interface Ended {
  readonly id: string;
  readonly cause: string | null;
  readonly endings: number;
  readonly states: readonly string[];
}

/** Reads the tasks of a story with the states of their leases, and the number of their entries `task.ending`. */
async function storedOf(runs: readonly Run[]): Promise<ReadonlyMap<string, Ended>> {
  const rows = await scene.query<Ended>(
    `SELECT t.id, t.end_cause AS cause, (SELECT array_agg(l.state) FROM lease l WHERE l.task_id = t.id) AS states,
       (SELECT count(*)::int FROM audit_entry e WHERE e.task_id = t.id AND e.type = 'task.ending') AS endings
     FROM task t WHERE t.id = ANY ($1::text[])`,
    [runs.map(({ intent }) => intent.task.id)],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

function expectEnded({ answers }: Run, stored: Ended | undefined): void {
  expect(stored !== undefined).toBe(answers[0]?.isGranted);
  if (stored === undefined) return;
  expect(['lockdown', 'completed']).toContain(stored.cause);
  expect(stored.endings).toBe(1);
  expect(stored.states.filter((state) => state === 'active' || state === 'minting')).toEqual([]);
}

/** The task was opened, activated and renewed, and ended only when its agent said so. */
function expectUntouched({ answers }: Run, stored: Ended | undefined): void {
  const end = answers.findIndex(({ step }) => step === 'complete');
  const before = end === -1 ? answers : answers.slice(0, end);
  expect(before.filter(({ isGranted }) => !isGranted)).toEqual([]);
  expect(stored).toMatchObject(end === -1 ? { cause: null, endings: 0 } : { cause: 'completed', endings: 1 });
}

async function lift(): Promise<void> {
  await scene.query(`UPDATE guard SET lockdown_id = NULL WHERE lockdown_id IS NOT NULL;
    UPDATE lockdown SET released_at = now(), released_by = engaged_by WHERE released_at IS NULL`);
}
