import { Command } from 'commander';
import { addAwsCredentialsCommand } from './aws-credentials.command.js';
import { addExecCommand } from './exec/exec.command.js';
import { version } from './version.js';

/** The command line, with every command. Errors are thrown: nothing in it leaves the process. */
export function buildProgram(): Command {
  const program = new Command('mayfly')
    .description('Credentials that live exactly as long as the task.')
    .version(version())
    .option('--url <url>', 'where the broker is; MAYFLY_URL unless given')
    .option('--token-file <path>', 'file of the identity token; docs/cli.md says where else it is looked for')
    .option('--json', 'answer in JSON, at a terminal too')
    .showSuggestionAfterError()
    .exitOverride();
  for (const add of [addExecCommand, addAwsCredentialsCommand]) {
    add(program);
  }
  for (const command of program.commands) command.exitOverride();
  return program;
}
