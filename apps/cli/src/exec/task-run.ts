import { constants } from 'node:os';
import type { Task, Timer } from '@mayfly/client';
import { isClosed, leaseEnds, TaskKeeper, type Granted, type TasksClient } from '@mayfly/sdk';
import { CommandFailure } from '../command-failure.js';
import type { Variables } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { failureOf } from '../failure-of.js';
import type { Notices } from '../output/notices.js';
import { startCommand, type CommandEnd } from './command.js';
import { Delivery, type DeliveryOptions } from './delivery.js';
import { Guard } from './guard.js';
import { PrivateFiles } from './private-files.js';
import { SignalRelay } from './signal-relay.js';

export interface TaskRunParts {
  readonly tasks: TasksClient;
  readonly timer: Timer;
  readonly notices: Notices;
  readonly inherited: Variables;
  readonly identityVariables: readonly string[];
  readonly runtimeDir: string;
}

/** Requests a task, or takes up one that was handed on. */
export type AskForTask = (asking: { readonly signal: AbortSignal }) => Promise<Granted>;

/** Runs a command under a task: requests the task first, keeps it alive meanwhile, and ends it in every case. */
export class TaskRun {
  private readonly relay = new SignalRelay();

  constructor(private readonly parts: TaskRunParts) {}

  /**
   * Gets a task by `ask` and runs the command under it; `ttlSeconds` is the lifetime that renewals request. Returns the
   * exit code, the command's own once it runs. Throws a `CommandFailure` without a usable task.
   */
  async run(
    ask: AskForTask,
    ttlSeconds: number | undefined,
    command: readonly string[],
    options: DeliveryOptions,
  ): Promise<number> {
    this.relay.start();
    this.relay.onInsistence(() => {
      this.parts.notices.warn(
        'stopped before the broker answered; a task that it may have opened ends at its deadline',
      );
      process.exit(this.interruption());
    });
    try {
      const granted = await ask({ signal: this.relay.interrupted });
      return await this.under(granted, ttlSeconds, command, options);
    } catch (error) {
      if (this.relay.interruptedBy !== undefined) return this.interruption();
      throw error;
    } finally {
      this.relay.stop();
    }
  }

  private async under(
    granted: Granted,
    ttlSeconds: number | undefined,
    command: readonly string[],
    options: DeliveryOptions,
  ): Promise<number> {
    const { task } = granted;
    let end: CommandEnd = { exitCode: EXIT.no, reason: 'the command was not started' };
    try {
      requireUsable(task);
      if (this.relay.interruptedBy !== undefined) {
        end = { exitCode: this.interruption(), reason: 'interrupted before the command began' };
        return end.exitCode;
      }
      end = await this.supply(granted, ttlSeconds, command, options);
      return end.exitCode;
    } finally {
      await this.finish(task, end);
    }
  }

  /** Creates the private files, the guard and the delivery, runs the command, and removes them. */
  private async supply(
    granted: Granted,
    ttlSeconds: number | undefined,
    command: readonly string[],
    options: DeliveryOptions,
  ): Promise<CommandEnd> {
    const { inherited, identityVariables, runtimeDir } = this.parts;
    const files = await PrivateFiles.open(runtimeDir);
    const guard = Guard.start(files.directory, inherited.PATH);
    const delivery = new Delivery(options, { files, inherited, identityVariables });
    try {
      const env = await delivery.prepare(granted.task.id, granted.task.credentials);
      const running = startCommand(command, env);
      if (running.pid !== undefined) guard.watch(running.pid);
      this.relay.passTo(running);
      const end = await this.kept(granted, ttlSeconds, delivery, running.ended);
      if (running.pid === undefined && end.reason !== undefined) this.parts.notices.warn(end.reason);
      return end;
    } finally {
      this.relay.passTo(undefined);
      await Promise.all([delivery.close(), files.remove()]);
      guard.dismiss();
    }
  }

  private async kept(
    granted: Granted,
    ttlSeconds: number | undefined,
    delivery: Delivery,
    ended: Promise<CommandEnd>,
  ): Promise<CommandEnd> {
    const { tasks, timer, notices } = this.parts;
    const over = new AbortController();
    const keeper = new TaskKeeper(
      tasks,
      timer,
      {
        renewed: async ({ credentials }) => {
          for (const { name, expiresAt, providerExpiresAt } of await delivery.handOn(credentials)) {
            notices.warnOnce(
              `credential \`${name}\` was issued again, but the command has the earlier one, which ends at ${providerExpiresAt ?? expiresAt}`,
              'use --aws-server for AWS sessions; otherwise use a longer --ttl',
            );
          }
        },
        notRenewed: (at, why) => notices.note(`the task is not renewed (${why}): its credentials end at ${at}`),
        ended: (why) => notices.warn(`the task has ended while its command runs: ${why}`),
      },
      { ...(ttlSeconds === undefined ? {} : { ttlSeconds }), wordsOf: (error) => failureOf(error).message },
    );
    void keeper.keep(granted, over.signal);
    return ended.finally(() => {
      over.abort();
    });
  }

  /** Ends the task and prints the state of its credentials. A failure here does not change the exit code. */
  private async finish({ id, expiresAt }: Task, { reason }: CommandEnd): Promise<void> {
    const { tasks, notices } = this.parts;
    try {
      const ended = await tasks.end(id, reason);
      for (const line of leaseEnds(ended)) {
        if (isClosed(ended)) notices.note(line);
        else notices.warn(line);
      }
    } catch (error) {
      notices.warn(
        `task ${id} could not be ended: ${failureOf(error).message}`,
        `it ends at ${expiresAt} at the latest`,
      );
    }
  }

  private interruption(): number {
    return EXIT.signalled + constants.signals[this.relay.interruptedBy ?? 'SIGTERM'];
  }
}

/** Throws when a repeated request returned a task that has failed, or one without its secrets. */
function requireUsable({ id, state, credentials }: Task): void {
  if (state === 'active' && credentials.every(({ secret }) => secret !== undefined)) return;
  throw new CommandFailure(
    EXIT.unavailable,
    `task ${id} came without its credentials: it is ${state}`,
    'its first answer was lost; run the command again',
  );
}
