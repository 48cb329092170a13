import 'reflect-metadata';
import { Problem } from '@mayfly/kernel';
import { redactText } from './boot/redaction.js';
import { printWelcome } from './boot/welcome.js';
import { startBroker } from './boot/service.js';
import { environment, readConfig } from './config.js';

/** How long a stop may take, the embedded PostgreSQL included, before the process leaves anyway. */
const LAST_RESORT_SECONDS = 45;

async function main(): Promise<void> {
  const starting = startBroker(readConfig(), environment);
  const stopping = new AbortController();
  // A signal during the start counts too: the embedded PostgreSQL may be up already.
  const stop = (): void => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    setTimeout(() => process.exit(1), LAST_RESORT_SECONDS * 1000).unref();
    starting.then((broker) => broker.stop()).then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const broker = await starting;
  // Whoever reads this may end the service at once.
  if (!stopping.signal.aborted) printWelcome(broker);
}

function fail(error: unknown): void {
  const reason = error instanceof Problem ? error.detail : error instanceof Error ? error.message : String(error);
  process.stderr.write(`mayfly: ${redactText(reason)}\n`);
  for (const { pointer, detail } of error instanceof Problem ? (error.extensions.errors ?? []) : []) {
    process.stderr.write(`  ${pointer}: ${detail}\n`);
  }
  process.exit(1);
}

main().catch(fail);
