import { answerOf } from '@mayfly/client';
import type { Command } from 'commander';
import { waitingIn, waitingWords } from '../changes/waiting.js';
import type { GlobalOptions } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { openContext } from '../command-context.js';

const STEPS = [
  ['activate', 'activate a registered or suspended agent'],
  ['suspend', 'suspend an agent: ends its tasks'],
  ['retire', 'retire an agent permanently: ends its tasks'],
] as const;

/** Adds `mayfly agents`: state changes of agents, which files cannot declare. For platform teams and operators. */
export function addAgentsCommand(program: Command): void {
  const agents = program.command('agents').description('activate, suspend or retire agents');
  for (const [step, description] of STEPS) {
    agents
      .command(step)
      .description(description)
      .argument('<name>', 'name of the agent')
      .action(async (name: string, _options: unknown, self: Command) => {
        const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
        const { body } = await answerOf(broker.calls.POST(`/agents/{name}/${step}`, { params: { path: { name } } }));
        const waiting = waitingIn(body);
        output.show(body, ({ state }) =>
          waiting === undefined ? `agent ${name} is ${state}\n` : `${waitingWords(waiting)}\n`,
        );
        if (waiting !== undefined) process.exitCode = EXIT.waiting;
      });
  }
}
