import { basename } from 'node:path';
import { systemTimer } from '@mayfly/client';
import { known, type TasksClient } from '@mayfly/sdk';
import type { Command } from 'commander';
import { usageFailure } from '../command-failure.js';
import { environment, type GlobalOptions } from '../config.js';
import { openContext } from '../command-context.js';
import { taskRequest, withTaskOrDelegationOptions, type TaskOptions } from '../task-options.js';
import type { DeliveryOptions } from './delivery.js';
import { type AskForTask, TaskRun } from './task-run.js';

interface ExecOptions extends Omit<TaskOptions, 'template'>, GlobalOptions {
  readonly template?: string;
  /** the id of a task that another agent handed on */
  readonly accept?: string;
  readonly awsServer: boolean;
  readonly pgHost?: string;
  readonly pgPort?: string;
  readonly pgDatabase?: string;
}

/** Adds `mayfly exec`, which runs a command with credentials that end with it. */
export function addExecCommand(program: Command): void {
  withTaskOrDelegationOptions(
    program.command('exec').description('run a command with the credentials of a task; the task ends with the command'),
  )
    .option('--aws-server', 'serve AWS sessions at a loopback address, so that renewed ones reach the command', false)
    .option('--pg-host <host>', 'host of the database of a Vault login; default: PGHOST')
    .option('--pg-port <port>', 'port of that database; default: PGPORT')
    .option('--pg-database <name>', 'name of that database; default: PGDATABASE')
    .argument('<command...>', 'the command to run, after `--`')
    .action(async (command: readonly string[], _options: unknown, self: Command) => {
      process.exitCode = await exec(command, self.optsWithGlobals<ExecOptions>());
    });
}

async function exec(command: readonly string[], options: ExecOptions): Promise<number> {
  const [file = ''] = command;
  if (file === '') throw usageFailure('the command is empty', 'put it after `--`');
  const { config, identity, tasks, notices } = openContext(options);
  const run = new TaskRun({
    tasks,
    timer: systemTimer,
    notices,
    inherited: environment,
    identityVariables: identity.variables,
    runtimeDir: config.runtimeDir,
  });
  return run.run(askFor(tasks, options, file), options.ttl, command, deliveryOptions(options));
}

/** Returns the call that gets the task. Throws a usage failure. */
function askFor(tasks: TasksClient, { template, accept, ...options }: ExecOptions, file: string): AskForTask {
  if (accept !== undefined) return (asking) => tasks.accept(accept, asking);
  if (template === undefined) throw usageFailure('no task is named', 'use --template NAME, or --accept TASK');
  // Arguments may hold secrets, so the task's purpose has only the command's name.
  const request = taskRequest({ ...options, template }, `run ${basename(file).slice(0, 100)}`);
  return (asking) => tasks.request(request, asking);
}

function deliveryOptions({ credential, awsServer, pgHost, pgPort, pgDatabase }: ExecOptions): DeliveryOptions {
  return {
    picked: credential,
    awsServer,
    ...known({
      pgHost: pgHost ?? environment.PGHOST,
      pgPort: pgPort ?? environment.PGPORT,
      pgDatabase: pgDatabase ?? environment.PGDATABASE,
    }),
  };
}
