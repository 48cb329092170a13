import { answerOf, type Reconciliation, systemTimer } from '@mayfly/client';
import type { Command } from 'commander';
import { type CommandContext, openContext } from '../command-context.js';
import type { GlobalOptions } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { table } from '../output/table.js';

interface ReconcileOptions extends GlobalOptions {
  readonly wait: boolean;
}

const LOOK_AGAIN_MS = 1_000;
/** the actions that leave no difference */
const CLEAN: ReadonlySet<string> = new Set(['ended', 'repaired']);

/** Adds `mayfly reconcile`, for operators. */
export function addReconcileCommand(program: Command): void {
  program
    .command('reconcile')
    .description('compare a connection with the leases; ends what Mayfly made and no lease explains')
    .argument('<connection>', 'name of the connection')
    .option('--wait', 'wait for the result; exits with 1 unless no difference is left', false)
    .action(async (connection: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<ReconcileOptions>();
      const context = openContext(options);
      const { body } = await answerOf(context.broker.calls.POST('/reconciliations', { body: { connection } }));
      const shown = options.wait ? await finished(context, body) : body;
      context.output.show(shown, words);
      if (options.wait) process.exitCode = isClean(shown) ? EXIT.ok : EXIT.no;
    });
}

async function finished({ broker }: CommandContext, asked: Reconciliation): Promise<Reconciliation> {
  const path = { id: asked.id };
  for (let seen = asked; ;) {
    if (seen.state !== 'running') return seen;
    await systemTimer.wait(LOOK_AGAIN_MS);
    seen = (await answerOf(broker.calls.GET('/reconciliations/{id}', { params: { path } }))).body;
  }
}

function isClean({ state, differences, leftOut }: Reconciliation): boolean {
  return state === 'done' && leftOut === 0 && differences.every(({ action }) => CLEAN.has(action));
}

function words({ id, connection, state, differences, leftOut, error }: Reconciliation): string {
  if (state === 'running') return `reconciliation ${id} of connection ${connection} is running\n`;
  if (state === 'failed') return `reconciliation ${id} of connection ${connection} failed: ${error ?? ''}\n`;
  if (differences.length === 0) return `connection ${connection} has no differences\n`;
  const rows = differences.map(({ action, kind, object = '', leaseId = '', detail = '' }) => [
    ...[action, kind, object, leaseId, detail],
  ]);
  const rest = leftOut === 0 ? '' : `${String(leftOut)} more differences are not shown\n`;
  return table(['ACTION', 'KIND', 'OBJECT', 'LEASE', ''], rows) + rest;
}
