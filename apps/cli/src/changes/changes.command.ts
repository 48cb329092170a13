import { answerOf, type Change, type ChangeDetail, type ChangePage } from '@mayfly/client';
import { Option, type Command } from 'commander';
import { openContext } from '../command-context.js';
import { usageFailure } from '../command-failure.js';
import type { GlobalOptions } from '../config.js';
import { table } from '../output/table.js';
import { shortInstant } from '../reading/instants.js';
import { readLimit } from '../reading/issuance-options.js';
import { differenceWords } from '../apply/step-words.js';

interface ListOptions extends GlobalOptions {
  readonly state?: Change['state'];
  readonly kind?: Change['kind'];
  readonly name?: string;
  readonly limit: number;
  readonly cursor?: string;
}

const STATES: readonly Change['state'][] = ['open', 'approved', 'refused', 'superseded', 'lapsed'];
const KINDS: readonly Change['kind'][] = ['Issuer', 'Connection', 'Agent', 'Policy'];
const ID = /^chg_[0-9a-z]{26}$/;

/** Adds `mayfly changes`: changes of documents that wait for a second person. */
export function addChangesCommand(program: Command): void {
  const changes = program.command('changes').description('list, show, approve or refuse changes of documents');
  changes
    .command('list', { isDefault: true })
    .description('list changes, newest first')
    .addOption(new Option('--state <state>', 'only this state; `open` waits for a second person').choices(STATES))
    .addOption(new Option('--kind <kind>', 'only documents of this kind').choices(KINDS))
    .option('--name <name>', 'only the document of this name')
    .addOption(new Option('--limit <number>', 'largest number of lines').default(50).argParser(readLimit))
    .option('--cursor <cursor>', '`nextCursor` of the previous page')
    .action(list);
  changes
    .command('show')
    .description('show what is in force and what a change asks for')
    .argument('<id>', 'chg_…')
    .action(show);
  changes
    .command('approve')
    .description('approve changes of another person, in the order in which they were asked for')
    .argument('<id...>', 'chg_…')
    .option('--reason <text>', 'the audit keeps it')
    .action(approve);
  changes
    .command('refuse')
    .description('refuse a change of another person')
    .argument('<id>', 'chg_…')
    .requiredOption('--reason <text>', 'the audit keeps it')
    .action(refuse);
}

async function list(_options: unknown, self: Command): Promise<void> {
  const options = self.optsWithGlobals<ListOptions>();
  const { broker, output } = openContext(options);
  const { limit, cursor, state, kind, name } = options;
  const query = {
    limit,
    ...(cursor === undefined ? {} : { cursor }),
    ...(state === undefined ? {} : { state }),
    ...(kind === undefined ? {} : { kind }),
    ...(name === undefined ? {} : { name }),
  };
  const { body } = await answerOf(broker.calls.GET('/changes', { params: { query } }));
  output.show(body, pageWords);
}

async function show(id: string, _options: unknown, self: Command): Promise<void> {
  const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
  const { body } = await answerOf(broker.calls.GET('/changes/{id}', { params: { path: { id: readId(id) } } }));
  output.show(body, detailWords);
}

/** Approves in the order of the ids, which is the order of the requests: a document comes after those that it names. */
async function approve(ids: readonly string[], _options: unknown, self: Command): Promise<void> {
  const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
  const { reason } = self.opts<{ readonly reason?: string }>();
  const body = reason === undefined ? {} : { reason };
  for (const id of ids.map(readId).sort()) {
    const answer = await answerOf(broker.calls.POST('/changes/{id}/approve', { params: { path: { id } }, body }));
    output.show(answer.body, outcomeWords);
  }
}

async function refuse(id: string, _options: unknown, self: Command): Promise<void> {
  const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
  const { reason } = self.opts<{ readonly reason: string }>();
  const params = { path: { id: readId(id) } };
  const { body } = await answerOf(broker.calls.POST('/changes/{id}/refuse', { params, body: { reason } }));
  output.show(body, outcomeWords);
}

function readId(text: string): string {
  if (ID.test(text)) return text;
  throw usageFailure('use the id of a change, `chg_…`, as <id>');
}

function authorOf({ author }: Pick<Change, 'author'>): string {
  return author.subject === undefined ? author.kind : `${author.issuer ?? ''}:${author.subject}`;
}

function titleOf({ kind, name }: Pick<Change, 'kind' | 'name'>): string {
  return `${kind}/${name}`;
}

function outcomeWords(change: ChangeDetail): string {
  return `change ${change.id} of ${titleOf(change)} is ${change.state}\n`;
}

function detailWords(change: ChangeDetail): string {
  const { id, operation, state, lapsesAt, baseRevision, differences, before, asked, stale, reason } = change;
  const against = baseRevision === null ? 'a new document' : `revision ${String(baseRevision)}`;
  const lines = [
    `change ${id}: ${operation} ${titleOf(change)}, by ${authorOf(change)}, against ${against}`,
    state === 'open' ? `open; lapses ${shortInstant(lapsesAt)}` : state,
    ...(reason === undefined ? [] : [`reason: ${reason}`]),
    ...(stale ? ['the document has moved on: an approval will be refused'] : []),
    ...differences.map(differenceWords),
    ...(before === null && asked !== null ? [JSON.stringify(asked, undefined, 2)] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function pageWords({ items, nextCursor }: ChangePage): string {
  if (items.length === 0) return 'none\n';
  const rows = items.map((change) => [
    ...[shortInstant(change.requestedAt), titleOf(change), change.operation, change.state],
    ...[authorOf(change), change.id],
  ]);
  const more = nextCursor === null ? '' : `more: --cursor ${nextCursor}\n`;
  return table(['ASKED', 'DOCUMENT', 'OPERATION', 'STATE', 'AUTHOR', 'CHANGE'], rows) + more;
}
