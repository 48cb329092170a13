import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { Services } from './services.js';

/** Work that the service repeats until it stops: each loop waits for its last round before it starts the next. */
export class Background {
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];

  constructor(private readonly log: Logger) {
    // one listener for each loop
    setMaxListeners(0, this.stopping.signal);
  }

  /** Runs `round` every `pauseMs`, and at once again while it answers true (there is more to do). */
  repeat(name: string, pauseMs: number, round: () => Promise<boolean>): void {
    this.loops.push(this.loop(name, pauseMs, round));
  }

  /** Resolves when every round under way is over; none starts after the call. */
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
        // The first failure and every hundredth: an outage must not fill the disk.
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
/** Targets whose standing documents one round looks at. */
const UPKEEP_LIMIT = 16;

/** What every replica repeats, and what a replica with a worker repeats besides. */
export function startBackground(services: Services, worker: boolean): Background {
  const background = new Background(services.log);
  background.repeat(
    'clock',
    10_000,
    always(() => services.clock.measure()),
  );
  background.repeat(
    'catalog',
    5_000,
    always(() => services.catalog.refresh()),
  );
  background.repeat(
    'signing keys',
    services.keyRing.options.reloadSeconds * 1000,
    always(() => services.keyRing.rotateIfDue()),
  );
  background.repeat(
    'federation keys',
    services.federationKeys.options.reloadSeconds * 1000,
    always(() => services.federationKeys.rotateIfDue()),
  );
  background.repeat(
    'counts of denials',
    5_000,
    always(() => services.denials.flush()),
  );
  background.repeat('audit sealing', 250, async () => (await services.auditSealer.seal()) === 5_000);
  // in every process that mints: each holds sessions of its own
  background.repeat(
    'attendance',
    10_000,
    always(() => services.attendance.round()),
  );
  if (worker) startWorker(background, services);
  return background;
}

const always = (work: () => Promise<unknown>) => async (): Promise<boolean> => {
  await work();
  return false;
};

function startWorker(background: Background, services: Services): void {
  background.repeat('sweep', 100, async () => (await services.closing.sweep(SWEEP_LIMIT)) === SWEEP_LIMIT);
  background.repeat(
    'wiping',
    5_000,
    always(() => Promise.all([services.idempotencyStore.wipe(), services.identityUses.wipe()])),
  );
  background.repeat(
    'orphans',
    60_000,
    always(() => services.orphans.round()),
  );
  background.repeat('upkeep', 1_000, async () => (await services.upkeep.round(UPKEEP_LIMIT)) === UPKEEP_LIMIT);
  const { queue } = services;
  if (queue !== undefined) {
    background.repeat('outbox', 50, async () => (await services.outbox.pump((jobs) => queue.add(jobs))) === 500);
  }
}
