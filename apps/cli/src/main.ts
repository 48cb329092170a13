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
// A request that nobody waits for any more does not hold the process up.
process.exit();

/** Says why, and answers the status to leave with. */
function leave(error: unknown): number {
  // commander has said it: help and version leave with 0, what is wrong with the command line with 1
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { exitCode, message, help } = failureOf(error);
  new Notices(process.stderr).warn(message, help);
  return exitCode;
}
