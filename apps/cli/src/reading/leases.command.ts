import { answerOf, type OverdueFilter, type OverdueLease, type OverduePage } from '@mayfly/client';
import { Option, type Command } from 'commander';
import { openContext } from '../command-context.js';
import { usageFailure } from '../command-failure.js';
import type { GlobalOptions } from '../config.js';
import { table } from '../output/table.js';
import { shortInstant } from './instants.js';
import { readLimit } from './issuance-options.js';

interface ListOptions extends GlobalOptions {
  readonly overdue: boolean;
  readonly abandoned: boolean;
  readonly agent?: string;
  readonly template?: string;
  readonly provider?: string;
  readonly connection?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** Adds `mayfly leases`: leases that should be dead and are not proven dead, for operators and auditors. */
export function addLeasesCommand(program: Command): void {
  const leases = program.command('leases').description('list overdue leases, or abandon one');
  leases
    .command('list', { isDefault: true })
    .description('list leases that should be dead and are not proven dead, longest overdue first')
    .option('--overdue', 'required: `mayfly issuances` lists all leases', false)
    .option('--abandoned', 'list the leases that an operator abandoned instead', false)
    .option('--agent <name>', 'only leases of this agent')
    .option('--template <name>', 'only leases of this task template')
    .option('--provider <kind>', 'only leases of this kind of provider')
    .option('--connection <name>', 'only leases at this connection')
    .addOption(new Option('--limit <number>', 'largest number of lines').default(50).argParser(readLimit))
    .option('--cursor <cursor>', '`nextCursor` of the previous page')
    .action(list);
  leases
    .command('abandon')
    .description('give up on a lease whose revocation cannot be proven, as an operator; it never becomes `revoked`')
    .argument('<id>', 'lse_…')
    .requiredOption('--reason <text>', 'why nobody can revoke the credential; the audit keeps it')
    .action(async (id: string, _options: unknown, self: Command) => {
      const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
      const { reason } = self.opts<{ readonly reason: string }>();
      const path = { id };
      const { body } = await answerOf(
        broker.calls.POST('/leases/{id}/abandon', { params: { path }, body: { reason } }),
      );
      output.show(body, ({ expiresAt }) => `lease ${id} is abandoned; its credential may work until ${expiresAt}\n`);
    });
}

async function list(_options: unknown, self: Command): Promise<void> {
  const options = self.optsWithGlobals<ListOptions>();
  if (!options.overdue) throw usageFailure('use `mayfly leases --overdue`; `mayfly issuances` lists all leases');
  const { broker, output } = openContext(options);
  const { body } = await answerOf(broker.calls.GET('/leases', { params: { query: queryOf(options) } }));
  output.show(body, words);
}

function queryOf(options: ListOptions): OverdueFilter {
  const { agent, template, provider, connection, limit, cursor, abandoned } = options;
  const query = { agent, template, provider, connection, cursor, abandoned: abandoned ? ('true' as const) : undefined };
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
  return { overdue: 'true', limit, ...given };
}

function words({ items, nextCursor }: OverduePage): string {
  if (items.length === 0) return 'none\n';
  const headings = [
    'OVERDUE SINCE',
    'AGENT',
    'CREDENTIAL',
    'CONNECTION',
    'STATE',
    'TRIES',
    'NEXT TRY',
    'LEASE',
    'ERROR',
  ];
  return table(headings, items.map(rowOf)) + (nextCursor === null ? '' : `more: --cursor ${nextCursor}\n`);
}

function rowOf(item: OverdueLease): string[] {
  return [
    shortInstant(item.overdueSince),
    item.agent,
    `${item.name} (${item.provider})`,
    item.connection ?? '',
    item.state,
    String(item.attempts),
    shortInstant(item.nextTryAt),
    item.leaseId,
    item.lastError ?? '',
  ];
}
