import 'reflect-metadata';
import { Problem } from '@mayfly/kernel';
import { redactText } from '@mayfly/service';
import { startBroker } from './broker.js';
import { environment, readConfig } from './config.js';
import { printWelcome } from './welcome.js';

/** The longest time for a stop, including the embedded PostgreSQL; then the process exits. */
const LAST_RESORT_SECONDS = 45;

async function main(): Promise<void> {
  const starting = startBroker(readConfig(), environment);
  const stopping = new AbortController();
  // Handles a signal during the start too: the embedded PostgreSQL may already run.
  const stop = (): void => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    setTimeout(() => process.exit(1), LAST_RESORT_SECONDS * 1000).unref();
    starting.then((broker) => broker.stop()).then(() => process.exit(0), fail);
  };
  process.on('uncaughtException', crash);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const broker = await starting;
  // Prints the welcome last: its reader may stop the service at once.
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

/** Ends the process like Node, without the members of the error: drivers keep requests and parameters there (I10). */
function crash(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : 'something other than an error was thrown';
  process.stderr.write(`mayfly: ${redactText(text)}\n`);
  process.exit(1);
}

main().catch(fail);
