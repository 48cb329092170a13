import { setTimeout as pause } from 'node:timers/promises';
import { answerOf, type Lockdown, type LockdownPage, type LockdownReach } from '@mayfly/client';
import { Option, type Command } from 'commander';
import { openContext, type CommandContext } from '../command-context.js';
import { usageFailure } from '../command-failure.js';
import type { GlobalOptions } from '../config.js';
import { table } from '../output/table.js';
import { shortInstant } from '../reading/instants.js';
import { readLimit } from '../reading/issuance-options.js';

interface EngageOptions extends GlobalOptions {
  readonly reason: string;
  readonly dryRun: boolean;
}

interface ListOptions extends GlobalOptions {
  readonly inForce: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

const KINDS = ['task', 'tree', 'agent', 'template', 'owner', 'runtime', 'issuer', 'connection', 'all'] as const;
type Kind = (typeof KINDS)[number];

const WATCH_PAUSE_MS = 1_000;

/** Adds `mayfly lockdown`: the switch that ends everything an incident is about. */
export function addLockdownCommand(program: Command): void {
  const lockdown = program
    .command('lockdown')
    .description('deny everything under a scope and end its tasks, watch that, or release it');
  lockdown
    .command('engage')
    .description('engage a lockdown, as an operator')
    .argument('<kind>', KINDS.join(', '))
    .argument('[name]', 'the name, or the id of a task; none for `all`')
    .requiredOption('--reason <text>', 'the audit keeps it')
    .option('--dry-run', 'count what would end, and engage nothing', false)
    .action(engage);
  lockdown
    .command('watch')
    .description('print the progress of a lockdown until each of its leases is proven dead or abandoned')
    .argument('<id>', 'lkd_…')
    .action(watch);
  lockdown
    .command('release')
    .description('ask for the release of a lockdown, or release it when another operator has asked')
    .argument('<id>', 'lkd_…')
    .requiredOption('--reason <text>', 'the audit keeps it')
    .action(release);
  lockdown
    .command('list', { isDefault: true })
    .description('list lockdowns, newest first, as an operator or auditor')
    .option('--in-force', 'leave out released lockdowns', false)
    .addOption(new Option('--limit <number>', 'largest number of lines').default(50).argParser(readLimit))
    .option('--cursor <cursor>', '`nextCursor` of the previous page')
    .action(list);
}

async function engage(kind: string, name: string | undefined, _options: unknown, self: Command): Promise<void> {
  const options = self.optsWithGlobals<EngageOptions>();
  const { broker, output } = openContext(options);
  const scope = { kind: readKind(kind), ...(name === undefined ? {} : { name }) };
  const query = { dryRun: options.dryRun ? ('true' as const) : ('false' as const) };
  const { body } = await answerOf(
    broker.calls.POST('/lockdowns', { params: { query }, body: { scope, reason: options.reason } }),
  );
  output.show(body, (answer) => ('dryRun' in answer ? reachWords(answer) : lockdownWords(answer)));
}

async function watch(id: string, _options: unknown, self: Command): Promise<void> {
  const context = openContext(self.optsWithGlobals<GlobalOptions>());
  for (let last = ''; ;) {
    const lockdown = await read(context, id);
    const line = progressWords(lockdown);
    if (line !== last) context.output.say(line);
    last = line;
    if (lockdown.progress.revoking === 0 && lockdown.state !== 'engaging') {
      if (!context.output.isForPeople) context.output.show(lockdown, lockdownWords);
      return;
    }
    await pause(WATCH_PAUSE_MS);
  }
}

async function read({ broker }: CommandContext, id: string): Promise<Lockdown> {
  return (await answerOf(broker.calls.GET('/lockdowns/{id}', { params: { path: { id } } }))).body;
}

async function release(id: string, _options: unknown, self: Command): Promise<void> {
  const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
  const { reason } = self.opts<{ readonly reason: string }>();
  const call = broker.calls.POST('/lockdowns/{id}/release', { params: { path: { id } }, body: { reason } });
  const { body } = await answerOf(call);
  output.show(body, ({ state }) =>
    state === 'released'
      ? `lockdown ${id} is released\n`
      : `lockdown ${id} still denies: another operator must release it, with the same command\n`,
  );
}

async function list(_options: unknown, self: Command): Promise<void> {
  const options = self.optsWithGlobals<ListOptions>();
  const { broker, output } = openContext(options);
  const { limit, cursor } = options;
  const inForce = options.inForce ? ('true' as const) : ('false' as const);
  const query = { limit, inForce, ...(cursor === undefined ? {} : { cursor }) };
  const { body } = await answerOf(broker.calls.GET('/lockdowns', { params: { query } }));
  output.show(body, pageWords);
}

function readKind(text: string): Kind {
  const kind = KINDS.find((one) => one === text);
  if (kind !== undefined) return kind;
  throw usageFailure(`use one of ${KINDS.join(', ')} as <kind>`);
}

function scopeWords({ kind, name }: Lockdown['scope']): string {
  return name === undefined ? kind : `${kind} ${name}`;
}

function progressWords({ state, progress }: Lockdown): string {
  const { matched, revoked, revoking, abandoned, oldestSeconds } = progress;
  const given = abandoned === 0 ? '' : `, ${String(abandoned)} abandoned`;
  const oldest = oldestSeconds === null ? '' : `, the oldest for ${String(oldestSeconds)} s`;
  return `${state}: ${String(revoked)} of ${String(matched)} leases proven dead, ${String(revoking)} revoking${oldest}${given}`;
}

function lockdownWords(lockdown: Lockdown): string {
  return `lockdown ${lockdown.id} of ${scopeWords(lockdown.scope)}\n${progressWords(lockdown)}\n`;
}

function reachWords({ scope, tasks, matched, connections }: LockdownReach): string {
  const head = `a lockdown of ${scopeWords(scope)} would end ${String(tasks)} tasks with ${String(matched)} leases\n`;
  if (connections.length === 0) return head;
  return (
    head +
    table(
      ['CONNECTION', 'LEASES'],
      connections.map(({ name, leases }) => [name, String(leases)]),
    )
  );
}

function pageWords({ items, nextCursor }: LockdownPage): string {
  if (items.length === 0) return 'none\n';
  const rows = items.map(({ id, engagedAt, scope, state, progress, reason }) => [
    ...[shortInstant(engagedAt), scopeWords(scope), state, `${String(progress.revoked)}/${String(progress.matched)}`],
    ...[id, reason],
  ]);
  const more = nextCursor === null ? '' : `more: --cursor ${nextCursor}\n`;
  return table(['ENGAGED', 'SCOPE', 'STATE', 'DEAD', 'LOCKDOWN', 'REASON'], rows) + more;
}
