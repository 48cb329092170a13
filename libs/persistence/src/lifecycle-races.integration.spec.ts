import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { LeaseClaim } from '@mayfly/revocation';
import { Problem, type TaskId } from '@mayfly/kernel';
import { IssuanceService, TaskDatabase, type TaskStores, templateOf } from '@mayfly/testing';
import fc from 'fast-check';
import { AuditReader } from './audit/audit.reader.js';
import { PgDecisionStore } from './decisions/decision.store.js';
import { PgFactStore } from './decisions/fact.store.js';
import { PgClosingStore } from './tasks/closing.store.js';
import { Database } from './database/database.js';
import { PgIssuanceStore } from './tasks/issuance.store.js';
import { PgTaskStore } from './tasks/task.store.js';

const ACTIONS = [
  'complete',
  'revoke',
  'renew',
  'heartbeat',
  'sweep',
  'freeze',
  'thaw',
  'issue',
  'issue badly',
] as const;

interface Step {
  readonly action: (typeof ACTIONS)[number];
  readonly replica: 0 | 1;
  /** the index of the task among those opened so far */
  readonly task: number;
}

/** Steps that run at the same time, after a pause. */
interface Round {
  readonly pauseSeconds: number;
  readonly steps: readonly Step[];
  readonly lostRevocations: number;
}

const round: fc.Arbitrary<Round> = fc.record({
  pauseSeconds: fc.constantFrom(0, 0, 1, 5, 13, 20, 31, 61),
  steps: fc.array(fc.record({ action: fc.constantFrom(...ACTIONS), replica: fc.constantFrom(0, 1), task: fc.nat(3) }), {
    minLength: 1,
    maxLength: 6,
  }),
  lostRevocations: fc.constantFrom(0, 0, 1, 3),
});

/** Invariants by name. Each query finds the rows that break one. */
const FORBIDDEN: readonly (readonly [string, string])[] = [
  [
    'a lease that is not terminal has no due time (I3)',
    `SELECT id FROM lease WHERE state IN ('minting', 'active', 'revoking') AND due_at IS NULL`,
  ],
  [
    'a task counts its living leases wrongly',
    `SELECT id FROM task t WHERE live_leases <>
       (SELECT count(*) FROM lease WHERE task_id = t.id AND state IN ('minting', 'active', 'revoking'))`,
  ],
  [
    'a task has ended before its last lease, or not with it',
    `SELECT id FROM task WHERE (live_leases = 0) <> (state <> 'active')`,
  ],
  [
    'a quota counter is not the number of running tasks',
    `SELECT scope FROM quota_counter WHERE active <> (SELECT count(*) FROM task WHERE state = 'active')`,
  ],
  [
    'a lease has not exactly one terminal audit entry once it is terminal',
    `SELECT id FROM lease l WHERE (state IN ('revoked', 'expired', 'failed'))::int <>
       (SELECT count(*) FROM audit_entry WHERE lease_id = l.id AND type IN ('lease.revoked', 'lease.expired', 'lease.failed'))`,
  ],
  [
    'a task has not exactly one ending in the audit, with the cause that it keeps',
    `SELECT id FROM task t WHERE (SELECT coalesce(string_agg(body::json ->> 'cause', '+'), '')
       FROM audit_entry WHERE task_id = t.id AND type = 'task.ending') <> coalesce(end_cause, '')`,
  ],
  [
    'a lease ends for another cause than its task',
    `SELECT l.id FROM lease l JOIN task t ON t.id = l.task_id WHERE l.end_cause <> t.end_cause AND l.state <> 'failed'`,
  ],
  [
    'a task has not exactly one end in the audit once it has ended',
    `SELECT id FROM task t WHERE (state <> 'active')::int <>
       (SELECT count(*) FROM audit_entry WHERE task_id = t.id AND type = 'task.ended')`,
  ],
];

describe('tasks under two replicas that race', () => {
  let scene: TaskDatabase;
  let databases: readonly Database[];

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    databases = [1, 2].map(
      () => new Database({ url: scene.url, searchPath: scene.searchPath, onConnectionLost: () => undefined }),
    );
  });

  afterAll(async () => {
    await Promise.all(databases.map((database) => database.close()));
    await scene.stop();
  });

  it('tasks under two replicas that race keep every promise, whatever happens at the same time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(round, { minLength: 3, maxLength: 10 }),
        async (leases, rounds) => {
          await scene.empty();
          const world = new World(scene, await replicasOver(leases));
          await world.happens({ action: 'issue', replica: 0, task: 0 });
          await world.happens({ action: 'issue', replica: 1, task: 0 });
          for (const { pauseSeconds, steps, lostRevocations } of rounds) {
            await scene.advance(pauseSeconds);
            world.loseRevocations(lostRevocations);
            await Promise.all(steps.map((step) => world.happens(step)));
            await world.expectPromisesKept();
          }
          await world.comesToRest();
          await world.expectPromisesKept();
        },
      ),
      { numRuns: 25, endOnFailure: true },
    );
  });

  async function replicasOver(leases: number): Promise<readonly [Replica, Replica]> {
    const stores = databases.map(({ pool }) => ({
      scene,
      issuance: new PgIssuanceStore(pool),
      closing: new PgClosingStore(pool, scene.clock),
      tasks: new PgTaskStore(pool),
      decisions: new PgDecisionStore(pool),
      facts: new PgFactStore(pool),
      story: new AuditReader(pool),
    }));
    const first = new IssuanceService(stores[0]!);
    const second = new IssuanceService(stores[1]!, first);
    const credentials = ['crm', 'files', 'mail'].slice(0, leases).map((name) => ({
      ...{ name, provider: 'dummy', connection: name },
      scope: { permissions: ['cases:read'] },
    }));
    const lifetime = { defaultSeconds: 40, maxSeconds: 90 };
    const template = templateOf({ credentials, lifetime, heartbeat: { timeoutSeconds: 30 } });
    await first.publish(template);
    await second.publish(template);
    return [first, second];
  }
});

type Replica = IssuanceService<TaskStores>;

/** Two replicas, their tasks, and the workers that stopped while they held claims. */
class World {
  private readonly tasks: TaskId[] = [];
  private readonly frozen: (() => Promise<void>)[] = [];

  constructor(
    private readonly scene: TaskDatabase,
    private readonly replicas: readonly [Replica, Replica],
  ) {}

  /** Does a step. Refusals are answers; anything else that is thrown is a defect. */
  async happens(step: Step): Promise<void> {
    await this.actions[step.action](this.replicas[step.replica], this.tasks[step.task % this.tasks.length]).catch(
      (error: unknown) => {
        if (!(error instanceof Problem)) throw error;
        expect(error.code).not.toBe('internal');
        if (error.extensions.taskId !== undefined) this.tasks.push(error.extensions.taskId as TaskId);
      },
    );
  }

  loseRevocations(times: number): void {
    this.replicas[0].dummy.switches.loseRevocations(times);
  }

  /** Resumes the stopped workers and lets time pass until no work is left. */
  async comesToRest(): Promise<void> {
    this.replicas[0].dummy.switches.reset();
    for (const thaw of this.frozen.splice(0)) await thaw();
    const living = `SELECT FROM lease WHERE due_at IS NOT NULL`;
    for (let turn = 0; turn < 10 && (await this.scene.query(living)).length > 0; turn += 1) {
      await this.scene.advance(61);
      await this.actions.sweep(this.replicas[turn % 2 === 0 ? 0 : 1]);
    }
    expect(await this.scene.query(living)).toEqual([]);
  }

  async expectPromisesKept(): Promise<void> {
    for (const [sentence, query] of FORBIDDEN) {
      expect([sentence, await this.scene.query(query)]).toEqual([sentence, []]);
    }
    const { dummy } = this.replicas[0];
    const leases = await this.scene.query<{ id: string; state: string; expires_at: Date }>('SELECT * FROM lease');
    const rows = new Map(leases.map((lease) => [`dummy_${lease.id.slice('lse_'.length)}`, lease]));
    for (const { id, expiresAt } of dummy.live()) {
      expect(['minting', 'active', 'revoking']).toContain(rows.get(id)?.state);
      expect(expiresAt.getTime()).toBeLessThanOrEqual(rows.get(id)!.expires_at.getTime());
    }
  }

  private readonly actions: Record<Step['action'], (replica: Replica, task?: TaskId) => Promise<void>> = {
    complete: async ({ ending }, taskId) => {
      if (taskId !== undefined) await ending.end({ taskId, cause: 'completed', actor: MAYFLY });
    },
    revoke: async ({ ending }, taskId) => {
      if (taskId !== undefined) await ending.end({ taskId, cause: 'revoked', actor: MAYFLY });
    },
    renew: async (replica, taskId) => {
      if (taskId !== undefined) await replica.renewal.renew(replica.requester(), taskId, 40);
    },
    heartbeat: async (replica, taskId) => {
      if (taskId !== undefined) await replica.renewal.heartbeat(replica.requester(), taskId);
    },
    sweep: async ({ closing }) => {
      await closing.sweep(20);
      await closing.settled();
    },
    freeze: async (replica) => {
      const claims: readonly LeaseClaim[] = await replica.stores.closing.claimDue({ limit: 2 });
      if (claims.length > 0) this.frozen.push(() => replica.closing.close(claims));
    },
    thaw: async () => {
      await this.frozen.shift()?.();
    },
    issue: async (replica) => {
      this.tasks.push((await replica.issue()).plan.task.id);
    },
    'issue badly': async (replica) => {
      const last = this.tasks.length;
      replica.dummy.switches.failMint(last % 2 === 0 ? 'fail after effect' : 'fail before effect');
      await replica.issue().finally(() => {
        replica.dummy.switches.reset();
      });
    },
  };
}
