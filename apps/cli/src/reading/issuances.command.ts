import type { Issuance, IssuancePage } from '@mayfly/client';
import type { Command } from 'commander';
import type { GlobalOptions } from '../config.js';
import { table } from '../output/table.js';
import { openContext } from '../command-context.js';
import { shortInstant } from './instants.js';
import { filterOf, withIssuanceOptions, type IssuanceOptions } from './issuance-options.js';
import { allIssuances, issuancePage } from './issuance-pages.js';

interface Options extends IssuanceOptions, GlobalOptions {
  readonly all: boolean;
  readonly cursor?: string;
}

/** Adds `mayfly issuances`: the history of leases, for auditors and operators. */
export function addIssuancesCommand(program: Command): void {
  withIssuanceOptions(program.command('issuances').description('list issuances, one line per lease, newest first'))
    .option('--task <id>', 'only leases of this task')
    .option('--seen-as <name>', 'the lease whose credential the log of a target shows under this name')
    .option('--cursor <cursor>', '`nextCursor` of the previous page')
    .option('--all', 'print every page; as JSON, one object per line', false)
    .action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      const { broker, output } = openContext(options);
      const filter = filterOf(options);
      if (!options.all) output.show(await issuancePage(broker, filter, options), words);
      else if (output.isForPeople) output.show(await gathered(allIssuances(broker, filter)), issuanceTable);
      else for await (const issuance of allIssuances(broker, filter)) output.line(issuance);
    });
}

async function gathered(issuances: AsyncIterable<Issuance>): Promise<Issuance[]> {
  const items: Issuance[] = [];
  for await (const issuance of issuances) items.push(issuance);
  return items;
}

function words({ items, nextCursor }: IssuancePage): string {
  return issuanceTable(items) + (nextCursor === null ? '' : `more: --cursor ${nextCursor}, or --all\n`);
}

function issuanceTable(items: readonly Issuance[]): string {
  const headings = ['CREATED', 'AGENT', 'TEMPLATE', 'CREDENTIAL', 'STATE', 'CAUSE', 'ENDED', 'TASK', 'LEASE'];
  const rows = items.map((item) => [
    shortInstant(item.createdAt),
    item.agent,
    `${item.template.name}@${String(item.template.version)}`,
    `${item.name} (${item.provider})`,
    item.state,
    item.cause ?? '',
    shortInstant(item.endedAt),
    item.taskId,
    item.leaseId,
  ]);
  return items.length === 0 ? 'none\n' : table(headings, rows);
}
