import type { IssuanceFilter } from '@mayfly/client';
import { Option, type Command } from 'commander';
import { usageFailure } from '../command-failure.js';

const LARGEST_PAGE = 200;

/** Filter options of issuances. */
export interface IssuanceOptions extends IssuanceFilter {
  readonly task?: string;
  readonly seenAs?: string;
  readonly limit: number;
}

/** Adds the filters of `GET /issuances` to a command. */
export function withIssuanceOptions(command: Command): Command {
  return command
    .option('--agent <name>', 'only leases of this agent')
    .option('--template <name>', 'only leases of this task template')
    .option('--provider <kind>', 'only leases of this kind of provider')
    .option(
      '--state <state>',
      'only leases in this state: minting, active, revoking, revoked, expired, failed or abandoned',
    )
    .option('--cause <cause>', 'only leases with this end cause, such as completed or heartbeat_lost')
    .option('--from <instant>', 'only leases since this instant, RFC 3339')
    .option('--to <instant>', 'only leases before this instant, RFC 3339')
    .addOption(new Option('--limit <number>', 'largest number of lines').default(50).argParser(readLimit));
}

/** Converts options to the broker's filter. */
export function filterOf(options: IssuanceOptions): IssuanceFilter {
  const { agent, template, provider, state, cause, from, to, task, seenAs } = options;
  const filter = { agent, template, provider, state, cause, from, to, taskId: task, seenAs };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/** Reads the value of `--limit`. */
export function readLimit(text: string): number {
  const limit = Number(text);
  if (/^\d{1,3}$/.test(text) && limit >= 1 && limit <= LARGEST_PAGE) return limit;
  throw usageFailure(`use 1 to ${String(LARGEST_PAGE)} as --limit`);
}
