import { Problem } from '@mayfly/kernel';
import type { CatalogListener } from '@mayfly/persistence';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import type { Background } from './background.js';
import type { Backing } from './database.js';
import type { Services } from './services.js';

/** How long all that a stop waits for may take together; the embedded PostgreSQL is stopped after that. */
const ORDERLY_MS = 17_000;

/** What was started so far. */
export interface Running {
  readonly backing: Backing;
  services?: Services;
  app?: NestFastifyApplication;
  background?: Background;
  listener?: CatalogListener;
}

/**
 * Ends what was started: requests first, then the rounds of the worker and the leases that they are closing, the connections
 * to the database last. Each step is tried whatever the one before did. The embedded PostgreSQL stops in any case; throws
 * `unavailable` after that when a step failed, or when all of them took longer than 17 s.
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
    throw new Problem('unavailable', `the stop was not over in ${String(ORDERLY_MS / 1000)} s: it waited for ${step}`);
  if (failed.length > 0) throw new Problem('unavailable', `the stop failed at: ${failed.join(', ')}`);
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
