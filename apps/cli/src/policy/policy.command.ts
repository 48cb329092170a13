import type { Command } from 'commander';
import type { PolicyTestOptions } from './policy-test.js';

/** Adds `mayfly policy`. It loads Cedar and the YAML parser on use, because other commands have to start fast. */
export function addPolicyCommand(program: Command): void {
  const policy = program.command('policy').description('test policies before they are in force');
  policy
    .command('test')
    .description('decide the cases of files with the policies and templates of other files; calls no broker')
    .requiredOption('-f, --filename <path>', 'documents: a YAML file or a folder of them; may be repeated', collect)
    .requiredOption('-c, --cases <path>', 'cases: a YAML file or a folder of them; may be repeated', collect)
    .addHelpText(
      'after',
      '\nIt leaves with 0 when every verdict is the expected one, with 1 when one differs, and with 2 for files that are wrong.',
    )
    .action(async (_options: unknown, self: Command) => {
      const { testPolicies } = await import('./policy-test.js');
      process.exitCode = await testPolicies(self.optsWithGlobals<PolicyTestOptions>());
    });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
