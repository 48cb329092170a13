import type { Command } from 'commander';
import type { IssuanceAnswer, IssuancesAnswer } from '../broker/answers.js';
import type { GlobalOptions } from '../config.js';
import { table } from '../output/table.js';
import { openSession } from '../session.js';
import { shortInstant } from './instants.js';
import { filterOf, withIssuanceOptions, type IssuanceOptions } from './issuance-options.js';
import { IssuancesClient } from './issuances.client.js';

interface Options extends IssuanceOptions, GlobalOptions {
  readonly all: boolean;
  readonly cursor?: string;
}

/** `mayfly issuances`: who got what, and how it ended. For auditors and operators. */
export function addIssuancesCommand(program: Command): void {
  withIssuanceOptions(program.command('issuances').description('who got what and how it ended, newest first'))
    .option('--task <id>', 'of this task')
    .option('--cursor <cursor>', 'the page after: `nextCursor` of the page before')
    .option('--all', 'every page; as JSON, one object a line', false)
    .action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      const { transport, output } = openSession(options);
      const client = new IssuancesClient(transport);
      if (!options.all) output.show(await client.page(filterOf(options), options.limit, options.cursor), words);
      else if (output.isForPeople) output.show(await gathered(client.all(filterOf(options))), issuanceTable);
      else for await (const issuance of client.all(filterOf(options))) output.line(issuance);
    });
}

async function gathered(issuances: AsyncIterable<IssuanceAnswer>): Promise<IssuanceAnswer[]> {
  const items: IssuanceAnswer[] = [];
  for await (const issuance of issuances) items.push(issuance);
  return items;
}

function words({ items, nextCursor }: IssuancesAnswer): string {
  return issuanceTable(items) + (nextCursor === null ? '' : `more: --cursor ${nextCursor}, or --all\n`);
}

function issuanceTable(items: readonly IssuanceAnswer[]): string {
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
