import { answerOf, type QuarantineState } from '@mayfly/client';
import type { Command } from 'commander';
import { openContext } from '../command-context.js';
import type { GlobalOptions } from '../config.js';
import { table } from '../output/table.js';
import { shortInstant } from '../reading/instants.js';

/** Adds `mayfly quarantine`: what an operator reads and confirms after an older database was restored. */
export function addQuarantineCommand(program: Command): void {
  const quarantine = program
    .command('quarantine')
    .description('show whether a restored database keeps the service from issuing, or confirm that database');
  quarantine
    .command('show', { isDefault: true })
    .description('show state, cause and comparisons, as an operator or auditor')
    .action(show);
  quarantine
    .command('confirm')
    .description('end the quarantine, as an operator: issue again, and end what no lease explains')
    .requiredOption('--reason <text>', 'the audit keeps it')
    .action(confirm);
}

async function show(_options: unknown, self: Command): Promise<void> {
  const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
  const { body } = await answerOf(broker.calls.GET('/quarantine', {}));
  output.show(body, stateWords);
}

async function confirm(_options: unknown, self: Command): Promise<void> {
  const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
  const { reason } = self.opts<{ readonly reason: string }>();
  const { body } = await answerOf(broker.calls.POST('/quarantine/confirm', { body: { reason } }));
  output.show(body, stateWords);
}

const CAUSES: Readonly<Record<NonNullable<QuarantineState['cause']>, string>> = {
  older: 'the database lacks the last audit entry that this installation has seen',
  forked: 'the database has another audit entry in the place of the last one that was seen',
  other_lineage: 'the epoch outside of the database belongs to another database',
  missing: 'the epoch outside of the database is gone',
};

function stateWords(answer: QuarantineState): string {
  if (answer.state === 'off') return 'off: set MAYFLY_EPOCH_URL, so that a restored backup is noticed\n';
  if (answer.state === 'open') return `open: the database has all ${String(answer.found.sequence)} audit entries\n`;
  const { cause, since, expected, found, reconciliations } = answer;
  const why = cause === undefined ? '' : `${CAUSES[cause]}\n`;
  const positions = `entries: ${String(found.sequence)} found, ${String(expected?.sequence ?? '?')} seen\n`;
  const rows = reconciliations.map((one) => [one.connection, one.state, String(one.differences), one.id]);
  const head = `quarantined since ${since === undefined ? '?' : shortInstant(since)}: nothing is issued\n${why}${positions}`;
  return rows.length === 0 ? head : head + table(['CONNECTION', 'STATE', 'DIFFERENCES', 'RECONCILIATION'], rows);
}
