import 'reflect-metadata';
import { Problem } from '@mayfly/kernel';
import { printWelcome } from './boot/welcome.js';
import { startBroker } from './boot/service.js';
import { environment, readConfig } from './config.js';

/** How long a stop may take before the process leaves anyway. */
const STOP_SECONDS = 20;

async function main(): Promise<void> {
  const config = readConfig();
  const broker = await startBroker(config, environment);
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), STOP_SECONDS * 1000).unref();
    broker.stop().then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Whoever reads this may end the service at once.
  printWelcome(broker);
}

function fail(error: unknown): void {
  const reason = error instanceof Problem ? error.detail : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`mayfly: ${reason ?? 'unknown failure'}\n`);
  for (const { pointer, detail } of error instanceof Problem ? (error.extensions.errors ?? []) : []) {
    process.stderr.write(`  ${pointer}: ${detail}\n`);
  }
  process.exit(1);
}

main().catch(fail);
