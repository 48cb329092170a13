import { systemTimer } from '@mayfly/client';
import type { AwsSession } from '@mayfly/sdk';
import type { Command } from 'commander';
import { CommandFailure, usageFailure } from '../command-failure.js';
import type { GlobalOptions } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { openSession, type Session } from '../session.js';
import { systemCodeOf } from '../system-code.js';
import { taskRequest, withTaskOptions, type TaskOptions } from '../task-options.js';
import { KeptFile, profileKey } from './kept.js';
import { PrivateDirectory } from './private-directory.js';
import { processCredentials, requireAlive, sessionIn } from './process-credentials.js';
import { ProfileSession } from './profile-session.js';

/**
 * When there has to be an answer, since the process began: SDKs do not wait for longer than 6.2 s (aws-config 1.13 for
 * Rust, which gives up first). The rest is for what has to be said.
 */
const ANSWER_MS = 4_600;
const LEAVE_MS = 4_900;
const NO_SESSION = 'there is no session within 5 s';
/** How long ending a task is tried where nobody reads the session. */
const END_MS = 6_000;

interface AwsCredentialsOptions extends TaskOptions, GlobalOptions {
  readonly cache: boolean;
  readonly end?: boolean;
}

/** `mayfly aws-credentials`: what an AWS profile names as its `credential_process`. */
export function addAwsCredentialsCommand(program: Command): void {
  withTaskOptions(
    program
      .command('aws-credentials')
      .description(
        'print an AWS session for `credential_process`; calls share one task until shortly before its deadline',
      ),
  )
    .option('--no-cache', 'keep nothing on this machine: each call is a task of its own')
    .option('--end', 'end the task that these options share, and remove its session from this machine')
    .action(async (_options: unknown, self: Command) => {
      await run(self.optsWithGlobals<AwsCredentialsOptions>());
    });
}

async function run(options: AwsCredentialsOptions): Promise<void> {
  const session = openSession(options);
  if (options.end === true) {
    if (!options.cache) throw usageFailure('--end and --no-cache exclude each other: without a cache no task is known');
    return end(session, options);
  }
  return options.cache ? printKept(session, options) : printOwn(session, options);
}

/** Hands out the session that is kept. A reader that has gone leaves it to the next call. */
async function printKept(session: Session, options: AwsCredentialsOptions): Promise<void> {
  const obtained = profileSession(session, options, ANSWER_MS).then((profile) => profile.obtain());
  await print(await inTime(obtained, NO_SESSION, 'the next call asks for the same task'));
}

/** Hands out the session of a task of its own, or ends the task. */
async function printOwn({ tasks, notices }: Session, options: AwsCredentialsOptions): Promise<void> {
  const asked = tasks.request(requestOf(options), { forMs: Math.max(ANSWER_MS - systemTimer.now(), 1) });
  const { task } = await inTime(asked, NO_SESSION, 'a task that was opened all the same ends at its deadline');
  try {
    await print(sessionIn(task, options.credential).session);
  } catch (error) {
    await tasks.end(task.id, 'the credential process could not use it', END_MS).catch(() => {
      notices.warn(`task ${task.id} could not be ended; it ends at its deadline`);
    });
    throw error;
  }
}

async function end(session: Session, options: AwsCredentialsOptions): Promise<void> {
  const ending = profileSession(session, options, ANSWER_MS).then((profile) => profile.end());
  const taskId = await inTime(ending, 'the task is not ended within 5 s', 'the same command tries it again');
  session.notices.note(taskId === undefined ? 'no task is kept for these options' : `task ${taskId} has ended`);
}

async function profileSession(session: Session, options: AwsCredentialsOptions, until: number) {
  const { config, identity, tasks, notices } = session;
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

/** Prints what SDKs read. Throws a `CommandFailure` where nobody can use it. */
async function print(session: AwsSession): Promise<void> {
  requireAlive(session, new Date());
  process.stdout.on('error', () => undefined); // told to the callback too
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

/** What comes in time. Whatever holds it up, such as a platform that gives no identity token, is left behind. */
function inTime<T>(coming: Promise<T>, fact: string, help: string): Promise<T> {
  const late = systemTimer.wait(LEAVE_MS - systemTimer.now()).then((): never => {
    throw new CommandFailure(EXIT.unavailable, fact, help);
  });
  return Promise.race([coming, late]);
}
