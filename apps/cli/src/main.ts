#!/usr/bin/env node
import { CommanderError } from 'commander';
import { EXIT } from './exit-codes.js';
import { failureOf } from './failure-of.js';
import { Notices } from './output/notices.js';
import { buildProgram } from './program.js';

try {
  await buildProgram().parseAsync();
} catch (error) {
  process.exitCode = leave(error);
}
// Exits even while an abandoned request is open.
process.exit();

/** Prints the failure and returns the exit code. */
function leave(error: unknown): number {
  // commander has already printed: its code is 0 for help and version, 1 for a wrong command line
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { exitCode, message, help } = failureOf(error);
  new Notices(process.stderr).warn(message, help);
  return exitCode;
}
