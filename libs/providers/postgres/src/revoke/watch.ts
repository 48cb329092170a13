import { setTimeout as pause } from 'node:timers/promises';
import { unlessAborted } from '@mayfly/credentials';
import type { Client, QueryResult, QueryResultRow } from 'pg';
import { CATALOG_ONLY } from '@mayfly/postgres';
import { NotConnected } from '../errors.js';
import { codeOf, INSUFFICIENT_PRIVILEGE, OUT_OF_LOCKS } from '../failures.js';
import { refuseSharedSessions } from '../pooling.js';
import { factsOf, type ServerFacts } from '../server-facts.js';
import type { DatabaseTarget } from '../target.js';
import { END_CATALOG_LOCKERS, END_THOSE_AHEAD, PREPARED_AHEAD } from './blockers.js';
import { endSessionsOf, findRoles, LEASE_ROLES, PREPARED, SESSIONS } from './looks.js';

/**
 * The settings of a session that stays in one transaction. READ COMMITTED holds no snapshot between statements, so that
 * the transaction does not block VACUUM.
 */
const SETTINGS = [
  'SET idle_in_transaction_session_timeout = 0',
  "SET statement_timeout = '10s'",
  "SET lock_timeout = '1s'",
  'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
  // set again: a pooler may give the transaction to a server session without this setting
  `SET LOCAL search_path = ${CATALOG_ONLY}`,
];

/**
 * Disables the transaction timeout (PostgreSQL 17 and newer), which a setting of the database could impose. Does not
 * read `pg_settings`: PUBLIC may change it, so that any lease may lock it.
 */
const NO_TRANSACTION_TIMEOUT = `SELECT CASE WHEN current_setting('server_version_num')::int >= 170000
  THEN set_config('transaction_timeout', '0', false) END`;

/** Ends the sessions of leases that hold more than `share` entries of the lock table. */
const endHoarders = (share: string): string => `
  SELECT pg_terminate_backend(pid)
    FROM (SELECT pid, count(*) AS locks FROM pg_locks WHERE NOT fastpath GROUP BY pid) AS held
    JOIN ${SESSIONS} USING (pid)
   WHERE usename ~ ${LEASE_ROLES} AND locks > ${share}`;

/** Finds an administrator who waits for a whole shared catalog, for instance to rebuild it; ignores leases. */
const BLOCKED = `SELECT FROM pg_locks LEFT JOIN ${SESSIONS} USING (pid)
  WHERE database = 0 AND mode = 'AccessExclusiveLock' AND NOT granted AND NOT coalesce(usename ~ ${LEASE_ROLES}, false)`;

/**
 * Statements that need an entry of the lock table: the first one always, the second one, for a login that may not call
 * the function, unless another reader of the catalog shares the entry.
 */
const TAKE_AN_ENTRY = 'SELECT pg_try_advisory_xact_lock(0, pg_backend_pid())';
const READ_A_CATALOG = 'SELECT FROM pg_tablespace LIMIT 1';

/**
 * Runs each later statement once, so that the transaction holds the locks on the shared catalogs: a statement that
 * needs only locks of its own transaction takes no new entry in the server's lock table.
 */
const WARM_UP = [
  BLOCKED,
  findRoles(['mayfly_'], ['mayfly_']),
  PREPARED,
  endHoarders('2000000000'),
  endSessionsOf(['0']),
  END_THOSE_AHEAD,
  PREPARED_AHEAD,
  END_CATALOG_LOCKERS,
];

/**
 * A session, opened before trouble begins, that works on when the server has no connection slot and no lock table entry
 * left. It finds roles and ends sessions; it changes nothing else. Calls run one after the other.
 */
export class Watch {
  private held: { readonly client: Client; readonly facts: ServerFacts } | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private opening: Promise<void> | undefined;
  private mayTakeEntries = true;

  constructor(private readonly target: Pick<DatabaseTarget, 'connect'>) {}

  get isOpen(): boolean {
    return this.held !== undefined;
  }

  /** Returns the facts of the session's server. Opens the session when there is none. */
  async facts(signal: AbortSignal): Promise<ServerFacts> {
    if (this.held === undefined) await this.open(signal);
    if (this.held === undefined) throw gone();
    return this.held.facts;
  }

  /** Throws `provider_rejected` when a pooler shares sessions. */
  async refuseSharedSessions(signal: AbortSignal): Promise<void> {
    const { client, facts } = this.held ?? {};
    if (client === undefined || facts === undefined) throw gone();
    await refuseSharedSessions(this.target, { session: client, process: facts.process }, signal);
  }

  /** Returns the result of the last statement of a message. Opens the session when there is none. */
  async run<Row extends QueryResultRow>(message: string, signal: AbortSignal): Promise<QueryResult<Row>> {
    if (this.held === undefined) await this.open(signal);
    return this.inTurn(async () => {
      const results = (await this.inSavepoint(message)) as QueryResult<Row>[];
      // the last result belongs to RELEASE, the one before it to the message
      const last = results.at(-2);
      if (last === undefined) throw new Error('the server did not answer a statement');
      return last;
    });
  }

  /**
   * Logs in afresh, which proves that the login works now. Replaces the old session only when the new one is ready; on
   * failure the old one stays. Throws the error.
   */
  async renew(signal: AbortSignal): Promise<void> {
    const fresh = await this.target.connect(signal);
    let facts: ServerFacts;
    try {
      facts = await unlessAborted(signal, makeReady(fresh, signal));
    } catch (error) {
      void fresh.end().catch(() => undefined);
      throw error;
    }
    await this.inTurn(async () => {
      const old = this.held;
      this.held = { client: fresh, facts };
      fresh.on('end', () => {
        if (this.held?.client === fresh) this.held = undefined;
      });
      await old?.client.end().catch(() => undefined);
    });
  }

  /** Returns true when the server's lock table has a free entry. */
  async hasRoom(signal: AbortSignal): Promise<boolean> {
    try {
      // rolled back, so that the next call needs an entry again
      await this.run(`${this.mayTakeEntries ? TAKE_AN_ENTRY : READ_A_CATALOG};\nROLLBACK TO watch`, signal);
      return true;
    } catch (error) {
      if (codeOf(error) === OUT_OF_LOCKS) return false;
      if (codeOf(error) !== INSUFFICIENT_PRIVILEGE || !this.mayTakeEntries) throw error;
      this.mayTakeEntries = false;
      return this.hasRoom(signal);
    }
  }

  /**
   * Returns true when an administrator, and every login behind them, waits for a shared catalog: the transaction must
   * then end.
   */
  async isInTheWay(signal: AbortSignal): Promise<boolean> {
    return (await this.run(`SELECT pg_stat_clear_snapshot();\n${BLOCKED}`, signal)).rowCount !== 0;
  }

  /** Ends the sessions of leases that hoard locks, and returns their number. */
  async relieve(signal: AbortSignal): Promise<number> {
    return (await this.run(`SELECT pg_stat_clear_snapshot();\n${endHoarders(SHARE)}`, signal)).rowCount ?? 0;
  }

  async close(): Promise<void> {
    await this.inTurn(async () => {
      const old = this.held;
      this.held = undefined;
      await old?.client.end().catch(() => undefined);
    });
  }

  /** Opens the session once for all waiting callers. */
  private async open(signal: AbortSignal): Promise<void> {
    this.opening ??= this.openSoon(AbortSignal.timeout(OPENING_MS)).finally(() => {
      this.opening = undefined;
    });
    try {
      await unlessAborted(signal, this.opening);
    } catch (error) {
      throw signal.aborted ? new NotConnected(error) : error;
    }
  }

  private async openSoon(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.renew(signal);
        return;
      } catch (error) {
        const code = codeOf(error instanceof NotConnected ? error.cause : error);
        if (code !== OUT_OF_LOCKS || signal.aborted) throw error;
        await pause(AGAIN_MS);
      }
    }
  }

  private async inSavepoint(message: string): Promise<unknown> {
    const client = this.held?.client;
    if (client === undefined) throw gone();
    try {
      return await client.query(`SAVEPOINT watch;\n${message};\nRELEASE watch`);
    } catch (error) {
      await client.query('ROLLBACK TO watch; RELEASE watch').catch(() => {
        this.held = undefined;
        void client.end().catch(() => undefined);
      });
      throw error;
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }
}

function gone(): Error {
  return new Error('the session of the watch ended');
}

/**
 * Prepares a fresh session. While the lock table is full, it ends the sessions of leases that hoard locks and retries.
 */
async function makeReady(fresh: Client, signal: AbortSignal): Promise<ServerFacts> {
  for (;;) {
    try {
      const facts = await factsOf(fresh);
      await fresh.query([...SETTINGS, NO_TRANSACTION_TIMEOUT, ...WARM_UP].join(';\n'));
      return facts;
    } catch (error) {
      if (codeOf(error) !== OUT_OF_LOCKS || signal.aborted) throw error;
      await fresh.query('ROLLBACK');
      await fresh.query(endHoarders(SHARE)).catch(() => undefined);
      await pause(AGAIN_MS);
    }
  }
}

const OPENING_MS = 10_000;
const AGAIN_MS = 50;
/** The lock table entries that the server reserves for one session. */
const SHARE = "current_setting('max_locks_per_transaction')::int";
