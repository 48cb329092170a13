import { answerOf, type ConnectionTest } from '@mayfly/client';
import type { Command } from 'commander';
import { waitingIn, waitingWords } from '../changes/waiting.js';
import type { GlobalOptions } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { table } from '../output/table.js';
import { openContext } from '../command-context.js';

/** Long, because the broker tests every server and every right, one after the other. */
const TEST_TIMEOUT_MS = 60_000;

/** Adds `mayfly connections`, for platform teams and operators. */
export function addConnectionsCommand(program: Command): void {
  const connections = program.command('connections').description('test, disable or enable connections');
  connections
    .command('test')
    .description('test a connection with the least harm; exits with 1 when a check fails')
    .argument('<name>', 'name of the connection')
    .action(async (name: string, _options: unknown, self: Command) => {
      const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
      const calls = broker.within(TEST_TIMEOUT_MS);
      const { body } = await answerOf(calls.POST('/connections/{name}/test', { params: { path: { name } } }));
      output.show(body, testWords);
      process.exitCode = body.ok ? EXIT.ok : EXIT.no;
    });
  addStep(connections, 'disable', 'disable a connection: it mints and renews nothing; revocations continue');
  addStep(connections, 'enable', 'enable a disabled connection');
}

function addStep(connections: Command, step: 'disable' | 'enable', description: string): void {
  connections
    .command(step)
    .description(description)
    .argument('<name>', 'name of the connection')
    .action(async (name: string, _options: unknown, self: Command) => {
      const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
      const { body } = await answerOf(broker.calls.POST(`/connections/{name}/${step}`, { params: { path: { name } } }));
      const waiting = waitingIn(body);
      output.show(body, () =>
        waiting === undefined ? `connection ${name} is ${step}d\n` : `${waitingWords(waiting)}\n`,
      );
      if (waiting !== undefined) process.exitCode = EXIT.waiting;
    });
}

/** Formats a test result for people. */
function testWords({ connection, ok, checks, clockOffsetSeconds, loginAgeSeconds }: ConnectionTest): string {
  const rows = checks.map(({ name, outcome, detail = '' }) => [outcome, name, detail]);
  const facts = [
    clockOffsetSeconds === undefined ? [] : `its clock is ${clockOffsetSeconds.toFixed(1)} s from the broker's`,
    loginAgeSeconds === undefined ? [] : `the broker's login is ${String(Math.round(loginAgeSeconds))} s old`,
    `connection ${connection} ${ok ? 'is in order' : 'has failed checks'}`,
  ].flat();
  return `${table(['OUTCOME', 'CHECK', ''], rows)}${facts.join('\n')}\n`;
}
