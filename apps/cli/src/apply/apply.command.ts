import type { Command } from 'commander';
import type { ApplyOptions } from './apply.js';

/** Adds `mayfly apply`. It loads the YAML parser on use, because `mayfly aws-credentials` has to start fast. */
export function addApplyCommand(program: Command): void {
  program
    .command('apply')
    .description('bring issuers, connections, agents and task templates to what files say; shows the difference first')
    .requiredOption('-f, --filename <path>', 'a YAML file or a folder of them; may be repeated', collect)
    .option('--dry-run', 'show the difference and change nothing', false)
    .option('--exit-code', 'with --dry-run: leave with 1 when something differs', false)
    .option('--publish', 'put the drafts of templates in force; another person than their author does', false)
    .action(async (_options: unknown, self: Command) => {
      const { apply } = await import('./apply.js');
      process.exitCode = await apply(self.optsWithGlobals<ApplyOptions>());
    });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
