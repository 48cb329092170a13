import type { UseOutcome } from '@mayfly/credentials';
import { addressOf, leaseUrl } from './address.js';
import { NotConnected } from './errors.js';
import { codeOf, explain, MAYFLY_RETRIES } from './failures.js';
import type { PostgresConfig } from './postgres.schemas.js';
import { DatabaseTarget } from './target.js';

/** The name and the password of a role. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** The server answers this for a role that does not exist, as for a wrong password (PostgreSQL manual, Appendix A). */
const NO_SUCH_LOGIN = '28P01';

/**
 * Logs in once at the agents' address, as an agent does, and ends the session. Only 28P01 counts as refused: 28000 is
 * also the answer of a pg_hba.conf that lets nobody in from here.
 */
export async function tryLogin(
  config: PostgresConfig,
  { username, password }: Login,
  signal: AbortSignal,
): Promise<UseOutcome> {
  try {
    const url = leaseUrl(addressOf(config), username, password);
    const withMode = `${url}${url.includes('?') ? '&' : '?'}uselibpqcompat=true`;
    const target = new DatabaseTarget({ url: withMode, sslRootCert: config.sslRootCert }, 1);
    try {
      await (await target.connect(signal)).end();
      return { kind: 'accepted' };
    } finally {
      await target.close();
    }
  } catch (error) {
    const answer = error instanceof NotConnected ? error.cause : error;
    if (codeOf(answer) === NO_SUCH_LOGIN) return { kind: 'refused' };
    return { kind: 'unknown', detail: explain(error, MAYFLY_RETRIES) };
  }
}
