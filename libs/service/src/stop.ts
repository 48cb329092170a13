import { Problem } from '@mayfly/kernel';
import type { CatalogListener } from '@mayfly/persistence';
import type { Logger } from 'pino';
import type { AppServer } from './app-server.js';
import type { Background } from './background.js';
import type { Backing } from './database.js';
import type { Services } from './services.js';

/** The longest time for all orderly steps together. The embedded PostgreSQL stops after them. */
const ORDERLY_MS = 17_000;

/** The parts that were started so far. */
export interface Running {
  readonly backing: Backing;
  services?: Services;
  app?: Pick<AppServer, 'close'>;
  background?: Background;
  listener?: CatalogListener;
}

/**
 * Stops the started parts: requests first, then background work and the leases that it closes, the database connections
 * last. A failed step does not skip the next. The embedded PostgreSQL always stops. Throws `unavailable` in the end
 * when a step failed or all steps together took longer than 17 s.
 */
export async function stop({ backing, services, app, background, listener }: Running, log: Logger): Promise<void> {
  const steps: Readonly<Record<string, () => unknown>> = {
    requests: () => app?.close(),
    'background work': () => background?.stop(),
    queue: () => services?.queue?.close(),
    'leases under way': () => services?.closing.settled(),
    'counts of denials': () => services?.denials.flush('all'),
    'connections to targets': () => Promise.all([listener?.stop(), services?.closeProviders()]),
    database: () => services?.database.close(),
  };
  let step = '';
  const failed: string[] = [];
  const orderly = async (): Promise<void> => {
    for (const [name, end] of Object.entries(steps)) {
      step = name;
      try {
        await end();
      } catch (error) {
        failed.push(name);
        log.error({ err: error, step: name }, 'a step of the stop failed');
      }
    }
  };
  const inTime = await within(ORDERLY_MS, orderly());
  await backing.stop();
  if (!inTime)
    throw new Problem(
      'unavailable',
      `the stop took longer than ${String(ORDERLY_MS / 1000)} s at the step ${step}; start Mayfly again, which revokes the leases that are due`,
    );
  if (failed.length > 0)
    throw new Problem('unavailable', `the stop failed at: ${failed.join(', ')}; look for each error in the log`);
}

async function within(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  return Promise.race([work.then(() => true), late]).finally(() => {
    clearTimeout(timer);
  });
}
