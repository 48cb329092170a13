import { Command } from 'commander';
import { addAwsCredentialsCommand } from './aws-profile/aws-credentials.command.js';
import { addApplyCommand } from './apply/apply.command.js';
import { addChangesCommand } from './changes/changes.command.js';
import { addExecCommand } from './exec/exec.command.js';
import { addLockdownCommand } from './lockdown/lockdown.command.js';
import { addPolicyCommand } from './policy/policy.command.js';
import { addAgentsCommand } from './reading/agents.command.js';
import { addConnectionsCommand } from './reading/connections.command.js';
import { addIssuersCommand } from './reading/issuers.command.js';
import { addIssuancesCommand } from './reading/issuances.command.js';
import { addLeasesCommand } from './reading/leases.command.js';
import { addQuarantineCommand } from './quarantine/quarantine.command.js';
import { addReconcileCommand } from './reading/reconcile.command.js';
import { addTasksCommand } from './reading/tasks.command.js';
import { version } from './version.js';

const COMMANDS = [
  addExecCommand,
  addAwsCredentialsCommand,
  addTasksCommand,
  addIssuancesCommand,
  addLeasesCommand,
  addLockdownCommand,
  addQuarantineCommand,
  addReconcileCommand,
  addApplyCommand,
  addChangesCommand,
  addPolicyCommand,
  addAgentsCommand,
  addConnectionsCommand,
  addIssuersCommand,
];

/** Builds the command line with all commands. Its errors are thrown; it never exits the process. */
export function buildProgram(): Command {
  const program = new Command('mayfly')
    .description('Credentials that live exactly as long as the task.')
    .version(version())
    .option('--url <url>', 'URL of the broker; default: MAYFLY_URL')
    .option('--token-file <path>', 'file of the identity token; docs/cli.md lists the other sources')
    .option('--json', 'print JSON, at a terminal too')
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'mayfly: ')) })
    .exitOverride();
  for (const add of COMMANDS) add(program);
  return program;
}
