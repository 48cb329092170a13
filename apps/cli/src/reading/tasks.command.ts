import type { Task } from '@mayfly/client';
import type { Command } from 'commander';
import type { GlobalOptions } from '../config.js';
import { openContext, type CommandContext } from '../command-context.js';
import { filterOf, withIssuanceOptions, type IssuanceOptions } from './issuance-options.js';
import { allIssuances } from './issuance-pages.js';
import { firstTasks } from './task-list.js';
import { taskTable, taskWords } from './task-words.js';

interface EndOptions extends GlobalOptions {
  readonly failed?: string;
}

/** Adds `mayfly tasks`, for agents (their own tasks), operators and auditors. */
export function addTasksCommand(program: Command): void {
  const tasks = program.command('tasks').description('list, show, end or revoke tasks');
  withIssuanceOptions(
    tasks.command('list', { isDefault: true }).description('list tasks by their leases, newest first'),
  ).action(async (_options: unknown, self: Command) => {
    const options = self.optsWithGlobals<IssuanceOptions & GlobalOptions>();
    const { broker, output } = openContext(options);
    const history = allIssuances(broker, filterOf(options));
    output.show({ items: await firstTasks(history, options.limit) }, ({ items }) => taskTable(items));
  });
  addOne(tasks, 'show', 'show a task and the state of its credentials', (context, id) => context.tasks.view(id));
  addOne(tasks, 'end', 'complete a task of this agent and revoke its credentials', (context, id, { failed }) =>
    context.tasks.end(id, failed),
  ).option('--failed <reason>', 'fail the task with this reason instead');
  addOne(tasks, 'revoke', 'revoke a task and its credentials, as an operator', (context, id) =>
    context.tasks.revoke(id),
  );
}

type Act = (context: CommandContext, id: string, options: EndOptions) => Promise<Task>;

function addOne(tasks: Command, name: string, description: string, act: Act): Command {
  return tasks
    .command(name)
    .description(description)
    .argument('<id>', 'tsk_…')
    .action(async (id: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<EndOptions>();
      const context = openContext(options);
      context.output.show(await act(context, id, options), taskWords);
    });
}
