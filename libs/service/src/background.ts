import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { Services } from './services.js';

/** Repeats background work until the service stops. A loop starts a round only after its previous round has ended. */
export class Background {
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];

  constructor(private readonly log: Logger) {
    // Each loop adds one listener.
    setMaxListeners(0, this.stopping.signal);
  }

  /** Runs `round`, then pauses for `pauseMs`; skips the pause while `round` returns true (more work is due). */
  repeat(name: string, pauseMs: number, round: () => Promise<boolean>): void {
    this.loops.push(this.loop(name, pauseMs, round));
  }

  /** Stops all loops. Resolves when the running rounds have ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.loops);
  }

  private async loop(name: string, pauseMs: number, round: () => Promise<boolean>): Promise<void> {
    const { signal } = this.stopping;
    let failures = 0;
    while (!signal.aborted) {
      let more = false;
      try {
        more = await round();
        failures = 0;
      } catch (error) {
        failures += 1;
        // Logs the first failure and every hundredth one: an outage must not fill the disk.
        if (failures % 100 === 1) this.log.error({ err: error, work: name, failures }, 'background work failed');
      }
      if (!more) await pause(pauseMs, signal);
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

const SWEEP_LIMIT = 200;
/** The entries of a round of the sealer after which more batches may wait. */
const FULL_ROUND = 2_000;
/** The most revocation points that one upkeep round checks. */
const UPKEEP_LIMIT = 16;

/** Wraps `work` as a round after which its loop always pauses. */
const always = (work: () => Promise<unknown>) => async (): Promise<boolean> => {
  await work();
  return false;
};

/** A change of declared state is in force at every replica within a second, also when no notification arrives. */
const FOLLOW_MS = 400;

/** Reads what another replica changed. The revision counts changes of signing keys too. */
export async function followDeclaredState({ catalog, keyRing, federationKeys }: Services): Promise<void> {
  if (await catalog.follow()) await Promise.all([keyRing.rotateIfDue(), federationKeys.rotateIfDue()]);
}

/** Starts the loops of every process and, with `worker`, sweep, wiping, orphan watch, upkeep and outbox. */
export function startBackground(services: Services, worker: boolean): Background {
  const background = new Background(services.log);
  const { keyRing, federationKeys } = services;
  const every = (name: string, pauseMs: number, work: () => Promise<unknown>): void => {
    background.repeat(name, pauseMs, always(work));
  };
  every('clock', 10_000, () => services.clock.measure());
  every('declared state', FOLLOW_MS, () => followDeclaredState(services));
  every('signing keys', keyRing.options.reloadSeconds * 1000, () => keyRing.rotateIfDue());
  every('federation keys', federationKeys.options.reloadSeconds * 1000, () => federationKeys.rotateIfDue());
  every('counts of denials', 5_000, () => services.denials.flush());
  every('notification queue', 60_000, () => services.notifyQueue.round());
  // Every process that mints has its own sessions at targets.
  every('attendance', 10_000, () => services.attendance.round());
  background.repeat('audit sealing', 250, async () => (await services.auditSealer.seal()) >= FULL_ROUND);
  if (worker) repeatWorkersRounds(background, services);
  return background;
}

function repeatWorkersRounds(background: Background, services: Services): void {
  const { closing, keyHoldStore, identityUses, orphans, agentEndings, upkeep, outbox, queue } = services;
  background.repeat('sweep', 100, async () => (await closing.sweep(SWEEP_LIMIT)) === SWEEP_LIMIT);
  background.repeat('wiping', 5_000, async () =>
    (await Promise.all([keyHoldStore.wipe(), identityUses.wipe()])).includes(true),
  );
  background.repeat(
    'orphans',
    60_000,
    always(() => orphans.round()),
  );
  background.repeat('endings of agents', 1_000, () => agentEndings.round());
  background.repeat('upkeep', 1_000, async () => (await upkeep.round(UPKEEP_LIMIT)) === UPKEEP_LIMIT);
  if (queue !== undefined)
    background.repeat('outbox', 50, async () => (await outbox.pump((jobs) => queue.add(jobs))) === 500);
}
