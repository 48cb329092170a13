import { systemTimer, systemCodeOf } from '@mayfly/client';
import type { AwsSession } from '@mayfly/sdk';
import type { Command } from 'commander';
import { CommandFailure, usageFailure } from '../command-failure.js';
import type { GlobalOptions } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { openContext, type CommandContext } from '../command-context.js';
import { taskRequest, withTaskOptions, type TaskOptions } from '../task-options.js';
import { KeptFile, profileKey } from './kept.js';
import { PrivateDirectory } from './private-directory.js';
import { processCredentials, requireAlive, sessionIn } from './process-credentials.js';
import { ProfileSession } from './profile-session.js';

/**
 * Deadline of the answer, in milliseconds since the process began. SDKs wait at most 6.2 s (aws-config 1.13 for Rust
 * has the shortest wait). The rest of that time is for the error message.
 */
const ANSWER_MS = 4_600;
const LEAVE_MS = 4_900;
const NO_SESSION = 'the broker gave no session within 5 s';
/** Time for all attempts to end the task when nobody reads the session. */
const END_MS = 6_000;

interface AwsCredentialsOptions extends TaskOptions, GlobalOptions {
  readonly cache: boolean;
  readonly end?: boolean;
}

/** Adds `mayfly aws-credentials`, the `credential_process` of an AWS profile. */
export function addAwsCredentialsCommand(program: Command): void {
  withTaskOptions(
    program
      .command('aws-credentials')
      .description(
        'print an AWS session for `credential_process`; calls share one task until shortly before its deadline',
      ),
  )
    .option('--no-cache', 'cache nothing on this machine; each call opens a new task')
    .option('--end', 'end the cached task of these options and remove its session from this machine')
    .action(async (_options: unknown, self: Command) => {
      await run(self.optsWithGlobals<AwsCredentialsOptions>());
    });
}

async function run(options: AwsCredentialsOptions): Promise<void> {
  const context = openContext(options);
  if (options.end === true) {
    if (!options.cache) throw usageFailure('--end and --no-cache exclude each other: without a cache no task is known');
    return end(context, options);
  }
  return options.cache ? printKept(context, options) : printOwn(context, options);
}

/** Prints the session of the profile's task. If the reader has gone, the session stays for the next call. */
async function printKept(context: CommandContext, options: AwsCredentialsOptions): Promise<void> {
  const obtained = profileSession(context, options, ANSWER_MS).then((profile) => profile.obtain());
  await print(await inTime(obtained, NO_SESSION, 'the next call asks for the same task'));
}

/** Prints the session of a new task. Ends the task when the session cannot be used. */
async function printOwn({ tasks, notices }: CommandContext, options: AwsCredentialsOptions): Promise<void> {
  const asked = tasks.request(requestOf(options), { forMs: Math.max(ANSWER_MS - systemTimer.now(), 1) });
  const { task } = await inTime(asked, NO_SESSION, 'a task that the broker may have opened ends at its deadline');
  try {
    await print(sessionIn(task, options.credential).session);
  } catch (error) {
    await tasks.end(task.id, 'the credential process could not use it', END_MS).catch(() => {
      notices.warn(`task ${task.id} could not be ended; it ends at its deadline`);
    });
    throw error;
  }
}

async function end(context: CommandContext, options: AwsCredentialsOptions): Promise<void> {
  const ending = profileSession(context, options, ANSWER_MS).then((profile) => profile.end());
  const taskId = await inTime(ending, 'the broker did not end the task within 5 s', 'run the same command again');
  context.notices.note(taskId === undefined ? 'no task is cached for these options' : `task ${taskId} has ended`);
}

async function profileSession(context: CommandContext, options: AwsCredentialsOptions, until: number) {
  const { config, identity, tasks, notices } = context;
  const request = requestOf(options);
  const directory = await PrivateDirectory.openOne(config.cacheDirs);
  await directory.sweep(new Date());
  const key = await profileKey({ brokerUrl: config.url, request, picked: options.credential, identity });
  const parts = { tasks, notices, file: new KeptFile(directory, key), timer: systemTimer, until };
  return new ProfileSession(parts, request, options.credential);
}

function requestOf(options: AwsCredentialsOptions) {
  return taskRequest(options, 'credentials of an AWS profile');
}

/** Prints a session in the SDKs' format. Throws a `CommandFailure` when it has ended or cannot be written. */
async function print(session: AwsSession): Promise<void> {
  requireAlive(session, new Date());
  process.stdout.on('error', () => undefined); // the callback of `write` gets the error too
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(`${JSON.stringify(processCredentials(session))}\n`, (error) => {
      if (error) reject(notRead(error));
      else resolve();
    });
  });
}

function notRead(error: Error): CommandFailure {
  return new CommandFailure(EXIT.no, `the session cannot be printed (${systemCodeOf(error) ?? 'unknown'})`);
}

/** Returns the result if it comes in time, otherwise throws; for example when a platform gives no identity token. */
function inTime<T>(coming: Promise<T>, fact: string, help: string): Promise<T> {
  const late = systemTimer.wait(LEAVE_MS - systemTimer.now()).then((): never => {
    throw new CommandFailure(EXIT.unavailable, fact, help);
  });
  return Promise.race([coming, late]);
}
