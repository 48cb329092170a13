import { answerOf, type Task, type TaskTree } from '@mayfly/client';
import type { Command } from 'commander';
import type { GlobalOptions } from '../config.js';
import { openContext, type CommandContext } from '../command-context.js';
import { table } from '../output/table.js';
import { taskRequest, type TaskOptions, withTaskOptions } from '../task-options.js';
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
  addTree(tasks);
  addDelegate(tasks);
  addOne(tasks, 'revoke', 'revoke a task and its credentials, as an operator', (context, id) =>
    context.tasks.revoke(id),
  );
}

/** Adds `mayfly tasks tree`. */
function addTree(tasks: Command): void {
  tasks
    .command('tree')
    .description('show the whole tree that a task is in')
    .argument('<id>', 'tsk_…')
    .action(async (id: string, _options: unknown, self: Command) => {
      const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
      const { body } = await answerOf(broker.calls.GET('/tasks/{id}/tree', { params: { path: { id } } }));
      output.show(body, treeWords);
    });
}

/** Adds `mayfly tasks delegate`. */
function addDelegate(tasks: Command): void {
  const command = tasks
    .command('delegate')
    .description('hand a part of a task of this agent on; the named agent takes it up with its own identity')
    .argument('<id>', 'tsk_…')
    .option('--to <agent>', 'the agent that takes it up; the same agent, if absent');
  withTaskOptions(command).action(async (id: string, _options: unknown, self: Command) => {
    const options = self.optsWithGlobals<TaskOptions & GlobalOptions & { readonly to?: string }>();
    const { broker, output } = openContext(options);
    const asked = {
      ...taskRequest(options, 'a part of a task'),
      ...(options.to === undefined ? {} : { agent: options.to }),
    };
    const call = broker.calls.POST('/tasks/{id}/delegate', { params: { path: { id } }, body: asked });
    const { body } = await answerOf(call);
    output.show(body, (one) => `${one.id} waits for agent ${one.agent} until ${one.acceptBy}\n`);
  });
}

function treeWords({ nodes }: TaskTree): string {
  const rows = nodes.map(({ depth, id, agent, template, state, endCause }) => [
    ...[`${'  '.repeat(depth)}${agent}`, template, state, endCause ?? '', id],
  ]);
  return table(['AGENT', 'TEMPLATE', 'STATE', 'CAUSE', 'TASK'], rows);
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
