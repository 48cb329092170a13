import type { ProbeCheck } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import type { PostgresConfig } from './postgres.schemas.js';
import type { ServerFacts } from './server-facts.js';

type Config = Pick<PostgresConfig, 'acceptPreparedTransactions'>;
type Facts = Pick<ServerFacts, 'preparedTransactions'>;

const NAME = 'no prepared transactions';

/**
 * Returns a fault when the server allows prepared transactions: a lease can use them to block the end of leases (ADR
 * 0004).
 */
function faultOf({ preparedTransactions }: Facts): string | undefined {
  if (preparedTransactions === 0) return undefined;
  return `every lease may prepare transactions, which outlive its sessions and can block the revocation of every lease of the server: set max_prepared_transactions to 0 (it is ${String(preparedTransactions)}), or \`acceptPreparedTransactions\` of the connection to true; docs/connect-postgres.md describes the cost`;
}

/**
 * Throws `provider_rejected` with `nothingMinted` when the server allows prepared transactions and the connection does
 * not accept them.
 */
export function refusePreparedTransactions({ acceptPreparedTransactions }: Config, facts: Facts): void {
  const fault = faultOf(facts);
  if (fault === undefined || acceptPreparedTransactions === true) return;
  throw new Problem('provider_rejected', fault, { nothingMinted: true });
}

/** Returns the check of a probe: `warning` when the connection accepts prepared transactions. */
export function preparedTransactionsCheck({ acceptPreparedTransactions }: Config, facts: Facts): ProbeCheck {
  const detail = faultOf(facts);
  if (detail === undefined) return { name: NAME, outcome: 'ok' };
  return { name: NAME, outcome: acceptPreparedTransactions === true ? 'warning' : 'missing', detail };
}
