import { randomBytes } from 'node:crypto';
import type { ProbeCheck } from '@mayfly/credentials';
import { newId } from '@mayfly/kernel';
import { addressOf, leaseUrl } from './address.js';
import { NotConnected } from './errors.js';
import { codeOf, explain, isTlsFailure, textOf } from './failures.js';
import type { PostgresConfig } from './postgres.schemas.js';
import { DatabaseTarget } from './target.js';

const NAME = 'log in as an agent does';
const DEADLINE_MS = 5_000;

const WRONG_PASSWORD = '28P01';
const NOT_LET_IN = '28000';
/** Codes that mean that no server or pooler answered. Agents may run where the address can be reached. */
const UNREACHED = /^(E[A-Z]{4,}|aborted|unexpected)$/;

/** The modes that libpq tries in order: it tries the second one when the server refuses the first. */
const TRIES: Readonly<Record<string, readonly string[]>> = {
  prefer: ['prefer', 'disable'],
  allow: ['disable', 'prefer'],
};

/**
 * Attempts one login at the agents' address, by libpq's rules, as a role that does not exist, with a random password.
 * The server refuses the password (28P01) only when host, port, TLS and the password rule in pg_hba.conf are right.
 */
export async function agentLogin(config: PostgresConfig, signal: AbortSignal): Promise<ProbeCheck> {
  const { sslmode = 'prefer' } = addressOf(config);
  const lacksAuthority = sslmode.startsWith('verify-') && config.sslRootCert === undefined;
  // only the agents have the CA certificate, if anyone: test everything else
  const modes = lacksAuthority ? ['require'] : (TRIES[sslmode] ?? [sslmode]);
  const check = judged(await lastAnswer(config, modes, signal));
  return lacksAuthority && check.outcome === 'ok' ? { name: NAME, outcome: 'warning', detail: NO_AUTHORITY } : check;
}

/** Tries the modes in order and returns the last answer. Tries the next mode only after 28000 or a TLS failure. */
async function lastAnswer(config: PostgresConfig, modes: readonly string[], signal: AbortSignal): Promise<unknown> {
  let answer: unknown;
  for (const mode of modes) {
    answer = await answerTo(config, mode, AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]));
    if (!isTlsFailure(answer) && codeOf(answer) !== NOT_LET_IN) return answer;
  }
  return answer;
}

const NO_AUTHORITY =
  'agents must check the certificate of the database, but get no authority to check it with; set `sslRootCert`, unless each of them has it';

/** Returns the driver's error, or undefined when the login worked although the role does not exist. */
async function answerTo(config: PostgresConfig, sslmode: string, signal: AbortSignal): Promise<unknown> {
  const role = `mayfly_${newId('lse').slice('lse_'.length)}`;
  const url = leaseUrl({ ...addressOf(config), sslmode }, role, randomBytes(24).toString('base64url'));
  const target = new DatabaseTarget({ url: `${url}&uselibpqcompat=true`, sslRootCert: config.sslRootCert }, 1);
  try {
    await (await target.connect(signal)).end();
    return undefined;
  } catch (error) {
    return error instanceof NotConnected ? error.cause : error;
  } finally {
    await target.close();
  }
}

function judged(answer: unknown): ProbeCheck {
  const code = codeOf(answer);
  if (code === WRONG_PASSWORD) return { name: NAME, outcome: 'ok' };
  if (answer === undefined || code === NOT_LET_IN) return { name: NAME, outcome: 'warning', detail: NO_RULE };
  if (textOf(answer) === 'no such user') return { name: NAME, outcome: 'warning', detail: POOLER };
  if (isTlsFailure(answer)) return { name: NAME, outcome: 'failed', detail: explain(answer) };
  const where = UNREACHED.test(code) ? 'from the network of Mayfly, which can differ from that of agents' : 'from here';
  return {
    name: NAME,
    outcome: 'warning',
    detail: `the login of an agent could not be tried ${where}: ${explain(answer)}`,
  };
}

const NO_RULE =
  'pg_hba.conf of the database has no rule that lets a new role log in with its password at the address of agents (28000); add a line such as `hostssl crm all all scram-sha-256`, unless it has a rule for the roles of leases or for the hosts of agents';

const POOLER =
  'the pooler at the address of agents does not know the user; configure it to look users up in the database (PgBouncer: auth_query)';
