import { setMaxListeners } from 'node:events';
import type { LeaseId } from '@mayfly/kernel';
import type { Logger } from 'pino';
import type { Services } from './services.js';

/** The result of a round: `more` work is due at once, `some` was done, or there was `nothing` to do. */
type Found = 'more' | 'some' | 'nothing';

/** The pause after a round that found some work. Each round that finds nothing doubles it, up to `idleMs`. */
interface Pace {
  readonly pauseMs: number;
  readonly idleMs: number;
  /** the pause before the first round; default: none */
  readonly firstMs?: number;
}

/** Repeats background work until the service stops. A loop starts a round only after its previous round has ended. */
export class Background {
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];
  /** ends the pause of a loop, by the name of the loop */
  private readonly wakers = new Map<string, () => void>();

  constructor(private readonly log: Logger) {
    // Each loop adds one listener.
    setMaxListeners(0, this.stopping.signal);
  }

  repeat(name: string, pace: Pace, round: () => Promise<Found>): void {
    this.loops.push(this.loop(name, pace, round));
  }

  /** Starts the next round of an idle loop at once. A loop that pauses for `pauseMs` finishes its pause. */
  wake(name: string): void {
    this.wakers.get(name)?.();
  }

  /** Stops all loops. Resolves when the running rounds have ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.loops);
  }

  private async loop(name: string, { pauseMs, idleMs, firstMs }: Pace, round: () => Promise<Found>): Promise<void> {
    const { signal } = this.stopping;
    if (firstMs !== undefined) await this.pause(name, firstMs, firstMs);
    let failures = 0;
    let nextMs = pauseMs;
    while (!signal.aborted) {
      let found: Found = 'some';
      try {
        found = await round();
        failures = 0;
      } catch (error) {
        failures += 1;
        // Logs the first failure and every hundredth one: an outage must not fill the disk.
        if (failures % 100 === 1) this.log.error({ err: error, work: name, failures }, 'background work failed');
      }
      if (found === 'more') continue;
      nextMs = found === 'some' ? pauseMs : Math.min(nextMs * 2, idleMs);
      if (await this.pause(name, nextMs, pauseMs)) nextMs = pauseMs;
    }
  }

  /** Pauses for `ms`. Returns true when `wake` ended the pause; it ends no pause of `shortestMs` or less. */
  private pause(name: string, ms: number, shortestMs: number): Promise<boolean> {
    const { signal } = this.stopping;
    return new Promise((resolve) => {
      const done = (woken: boolean): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        this.wakers.delete(name);
        resolve(woken);
      };
      const stop = (): void => {
        done(false);
      };
      const timer = setTimeout(done, ms, false);
      if (ms > shortestMs)
        this.wakers.set(name, () => {
          done(true);
        });
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
    });
  }
}

const SWEEP_LIMIT = 200;
/** The entries of a round of the sealer after which more batches may wait. */
const FULL_ROUND = 2_000;
/** The most revocation points that one upkeep round checks. */
const UPKEEP_LIMIT = 16;
/** The most ended credentials that one round uses at once. */
const PROBE_LIMIT = 16;
const OUTBOX_LIMIT = 500;
/** The most leases that the queue's worker closes at once in one process. */
const JOB_CONCURRENCY = 8;

/**
 * The paces of the loops that poll the database. Idle, they cost the service and PostgreSQL a few milliseconds of
 * processor time a second. A due lease that nothing announced waits `idleMs` of the sweep at most; wake-ups are
 * delivered seconds before they are due.
 */
const PACES = {
  'audit sealing': { pauseMs: 250, idleMs: 1_000 },
  sweep: { pauseMs: 100, idleMs: 500 },
  upkeep: { pauseMs: 1_000, idleMs: 5_000 },
  'death probes': { pauseMs: 250, idleMs: 1_000 },
  outbox: { pauseMs: 50, idleMs: 1_000 },
  reconciliation: { pauseMs: 250, idleMs: 1_000 },
} as const satisfies Record<string, Pace>;

/** A change of declared state is in force at every replica within a second, also when no notification arrives. */
const FOLLOW_MS = 400;

/** The lag of the outside epoch, and the time in which each process notices a restore that kept its sessions. */
const EPOCH_MS = 1_000;

/** Reads what another replica changed. The revision counts changes of signing keys too. */
export async function followDeclaredState({ catalog, keyRing, federationKeys }: Services): Promise<void> {
  if (await catalog.follow()) await Promise.all([keyRing.rotateIfDue(), federationKeys.rotateIfDue()]);
}

/** Every target is compared with the leases once a minute. A process that has just started does not log in everywhere. */
const RECONCILE: Pace = { pauseMs: 60_000, idleMs: 60_000, firstMs: 60_000 };

/** Starts the loops of every process and, with `worker`, sweep, wiping, reconciliation, upkeep, death probes and outbox. */
export function startBackground(services: Services, worker: boolean): Background {
  const background = new Background(services.log);
  const { keyRing, federationKeys } = services;
  const every = (name: string, pauseMs: number, work: () => Promise<unknown>): void => {
    background.repeat(name, { pauseMs, idleMs: pauseMs }, async () => {
      await work();
      return 'nothing';
    });
  };
  every('clock', 10_000, () => services.clock.measure());
  every('declared state', FOLLOW_MS, () => followDeclaredState(services));
  every('signing keys', keyRing.options.reloadSeconds * 1000, () => keyRing.rotateIfDue());
  every('federation keys', federationKeys.options.reloadSeconds * 1000, () => federationKeys.rotateIfDue());
  every('counts of denials', 5_000, () => services.denials.flush());
  every('notification queue', 60_000, () => services.notifyQueue.round());
  // Every process that mints has its own sessions at targets.
  every('attendance', 10_000, () => services.attendance.round());
  poll(background, 'audit sealing', FULL_ROUND, () => services.auditSealer.seal());
  every('epoch', EPOCH_MS, () => services.quarantine.round());
  every('audit partitions', 60_000, () => services.auditPartitions.prepare());
  if (!worker) return background;
  const { closing, keyHoldStore, identityUses, useStore, deathProbes, reconciler, taskEndings, upkeep, quarantine } =
    services;
  poll(background, 'sweep', SWEEP_LIMIT, () => closing.sweep(SWEEP_LIMIT));
  background.repeat('wiping', { pauseMs: 5_000, idleMs: 5_000 }, async () =>
    (await Promise.all([keyHoldStore.wipe(), identityUses.wipe(), useStore.wipe()])).includes(true)
      ? 'more'
      : 'nothing',
  );
  background.repeat('endings of tasks', { pauseMs: 1_000, idleMs: 1_000 }, async () =>
    (await taskEndings.round()) ? 'more' : 'nothing',
  );
  background.repeat('requested reconciliations', PACES.reconciliation, async () =>
    (await reconciler.runRequested()) ? 'more' : 'nothing',
  );
  background.repeat('reconciliation', RECONCILE, async () => {
    await reconciler.round();
    return 'nothing';
  });
  // A repair would drop what a restored database does not know.
  poll(background, 'upkeep', UPKEEP_LIMIT, async () => (quarantine.isQuarantined ? 0 : upkeep.round(UPKEEP_LIMIT)));
  every('lapsed changes', 60_000, () => services.changes.lapse());
  every('differences in quarantine', 2_000, () => services.quarantineDesk.report());
  poll(background, 'death probes', PROBE_LIMIT, () => deathProbes.round(PROBE_LIMIT));
  deliverWakeUps(background, services);
  return background;
}

/** Repeats `work`, which returns how much it did; when it did `limit`, more is due. */
function poll(background: Background, name: keyof typeof PACES, limit: number, work: () => Promise<number>): void {
  background.repeat(name, PACES[name], async () => {
    const done = await work();
    if (done >= limit) return 'more';
    return done > 0 ? 'some' : 'nothing';
  });
}

/** Moves wake-ups from the outbox to the queue. The queue is opened with the first wake-up, not with the service. */
function deliverWakeUps(background: Background, { outbox, queue, closing }: Services): void {
  if (queue === undefined) return;
  const closeIfDue = async (leaseId: LeaseId): Promise<void> => {
    // Leases without a wake-up of their own often fall due together with this one.
    background.wake('sweep');
    await closing.closeIfDue(leaseId);
  };
  poll(background, 'outbox', OUTBOX_LIMIT, () =>
    outbox.pump((jobs) => {
      queue.work(closeIfDue, JOB_CONCURRENCY);
      return queue.add(jobs);
    }, OUTBOX_LIMIT),
  );
}
