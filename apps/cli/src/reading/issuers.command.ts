import { readFileSync } from 'node:fs';
import { answerOf, type IssuerTest } from '@mayfly/client';
import type { Command } from 'commander';
import { usageFailure } from '../command-failure.js';
import type { GlobalOptions } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { table } from '../output/table.js';
import { openContext } from '../command-context.js';

/** Long, because the broker fetches the discovery document and the keys, one after the other. */
const TEST_TIMEOUT_MS = 30_000;

/** Adds `mayfly issuers`, for platform teams. */
export function addIssuersCommand(program: Command): void {
  program
    .command('issuers')
    .description('test issuers of identity tokens')
    .command('test')
    .description('fetch the keys of an issuer now and check a token of it; exits with 1 when a check fails')
    .argument('<name>', 'name of the issuer')
    .option(
      '--judge-file <path>',
      'file of a token to check, `-` for standard input; the token is not stored and gives no access',
    )
    .action(async (name: string, { judgeFile }: { readonly judgeFile?: string }, self: Command) => {
      const { broker, output } = openContext(self.optsWithGlobals<GlobalOptions>());
      const body = judgeFile === undefined ? {} : { token: tokenIn(judgeFile) };
      const calls = broker.within(TEST_TIMEOUT_MS);
      const answer = await answerOf(calls.POST('/issuers/{name}/test', { params: { path: { name } }, body }));
      output.show(answer.body, testWords);
      process.exitCode = answer.body.ok ? EXIT.ok : EXIT.no;
    });
}

function tokenIn(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8').trim();
  } catch {
    throw usageFailure(`the file of --judge-file cannot be read: ${path}`);
  }
}

/** Formats a test result for people. */
function testWords({ issuer, ok, checks }: IssuerTest): string {
  const rows = checks.map(({ name, outcome, detail = '' }) => [outcome, name, detail]);
  return `${table(['OUTCOME', 'CHECK', ''], rows)}issuer ${issuer} ${ok ? 'is in order' : 'is not in order'}\n`;
}
