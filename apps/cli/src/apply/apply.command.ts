import type { Command } from 'commander';
import type { ApplyOptions } from './apply.js';

/** Adds `mayfly apply`. It loads the YAML parser on use, because `mayfly aws-credentials` has to start fast. */
export function addApplyCommand(program: Command): void {
  program
    .command('apply')
    .description(
      'apply issuers, connections, agents, policies and task templates from YAML files; shows the difference first',
    )
    .requiredOption('-f, --filename <path>', 'a YAML file or a folder of them; may be repeated', collect)
    .option('--dry-run', 'show the difference and change nothing', false)
    .option('--exit-code', 'with --dry-run: leave with 1 when something differs', false)
    .option('--publish', 'publish the drafts of templates; an author cannot publish an own draft', false)
    .action(async (_options: unknown, self: Command) => {
      const { apply } = await import('./apply.js');
      process.exitCode = await apply(self.optsWithGlobals<ApplyOptions>());
    });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
