import type { Command } from 'commander';
import { DeclaredSchema } from '../broker/answers.js';
import type { GlobalOptions } from '../config.js';
import { openSession } from '../session.js';

const STEPS = {
  activate: 'let a registered or suspended agent ask for tasks',
  suspend: 'stop an agent: its tasks end',
  retire: 'stop an agent for good',
} as const;

/** `mayfly agents`: the steps of an agent's life that files do not say. For platform teams and operators. */
export function addAgentsCommand(program: Command): void {
  const agents = program.command('agents').description('activate agents, and stop them');
  for (const [step, description] of Object.entries(STEPS)) {
    agents
      .command(step)
      .description(description)
      .argument('<name>', 'of an agent')
      .action(async (name: string, _options: unknown, self: Command) => {
        const { transport, output } = openSession(self.optsWithGlobals<GlobalOptions>());
        const path = `/agents/${encodeURIComponent(name)}/${step}`;
        const { body } = await transport.call('POST', path, DeclaredSchema);
        output.show(body, ({ state }) => `agent ${name} is ${state ?? 'changed'}\n`);
      });
  }
}
