import { setTimeout as pause } from 'node:timers/promises';
import { unlessAborted } from '@mayfly/credentials';
import type { Client, QueryResult, QueryResultRow } from 'pg';
import { CATALOG_ONLY } from '@mayfly/postgres';
import { NotConnected } from '../errors.js';
import { codeOf, INSUFFICIENT_PRIVILEGE, OUT_OF_LOCKS } from '../failures.js';
import { refuseSharedSessions } from '../pooling.js';
import { factsOf, type ServerFacts } from '../server-facts.js';
import type { Target } from '../target.js';
import { END_CATALOG_LOCKERS, END_THOSE_AHEAD, PREPARED_AHEAD } from './blockers.js';
import { endSessionsOf, findRoles, LEASE_ROLES, PREPARED } from './looks.js';

/**
 * The settings of a session that stays in one transaction. READ COMMITTED holds no snapshot between statements, so that
 * the transaction keeps nothing from being vacuumed.
 */
const SETTINGS = [
  'SET idle_in_transaction_session_timeout = 0',
  "SET statement_timeout = '10s'",
  "SET lock_timeout = '1s'",
  'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
  // once more: a pooler may give the transaction to a session that was not told
  `SET LOCAL search_path = ${CATALOG_ONLY}`,
];

/**
 * New in PostgreSQL 17; a setting of the database could end the transaction otherwise. Nothing here reads `pg_settings`:
 * PUBLIC may change it, so that any lease may lock it.
 */
const NO_TRANSACTION_TIMEOUT = `SELECT CASE WHEN current_setting('server_version_num')::int >= 170000
  THEN set_config('transaction_timeout', '0', false) END`;

/** Sessions of leases that hold more locks than the server has set aside for one session, where it has none left. */
const endHoarders = (share: string): string => `
  SELECT pg_terminate_backend(pid)
    FROM (SELECT pid, count(*) AS locks FROM pg_locks WHERE NOT fastpath GROUP BY pid) AS held
    JOIN pg_stat_activity USING (pid)
   WHERE usename ~ ${LEASE_ROLES} AND locks > ${share}`;

/** An administrator who waits for a shared catalog as a whole, to rebuild it for instance; leases do not count. */
const BLOCKED = `SELECT FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
  WHERE database = 0 AND mode = 'AccessExclusiveLock' AND NOT granted AND NOT coalesce(usename ~ ${LEASE_ROLES}, false)`;

/**
 * Need an entry of the lock table: the first one for certain, the second one, for a login that may not call the function,
 * unless the entry is shared with somebody who reads the catalog.
 */
const TAKE_AN_ENTRY = 'SELECT pg_try_advisory_xact_lock(0, pg_backend_pid())';
const READ_A_CATALOG = 'SELECT FROM pg_tablespace LIMIT 1';

/**
 * Reads everything that later statements need, so that the transaction holds the locks on the shared catalogs: a
 * statement that only needs what its transaction holds takes no new entry in the server's lock table.
 */
const WARM_UP = [
  BLOCKED,
  findRoles(['mayfly_']),
  PREPARED,
  endHoarders('2000000000'),
  endSessionsOf(['0']),
  END_THOSE_AHEAD,
  PREPARED_AHEAD,
  END_CATALOG_LOCKERS,
];

/**
 * One session that was opened before trouble began and that goes on working when the server has no connection slot and no
 * entry in its lock table left. It finds roles and ends sessions; it changes nothing else. Calls run one after the other.
 */
export class Watch {
  private held: { readonly client: Client; readonly facts: ServerFacts } | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private opening: Promise<void> | undefined;
  private mayTakeEntries = true;

  constructor(private readonly target: Pick<Target, 'connect'>) {}

  get isOpen(): boolean {
    return this.held !== undefined;
  }

  /** What the session leads to. Opens it where there is none. */
  async facts(signal: AbortSignal): Promise<ServerFacts> {
    if (this.held === undefined) await this.open(signal);
    if (this.held === undefined) throw gone();
    return this.held.facts;
  }

  /** Throws Problem `provider_rejected` where a pooler shares sessions. */
  async refuseSharedSessions(signal: AbortSignal): Promise<void> {
    const { client, facts } = this.held ?? {};
    if (client === undefined || facts === undefined) throw gone();
    await refuseSharedSessions(this.target, { session: client, process: facts.process }, signal);
  }

  /** The result of the last statement of a message. Opens the session where there is none. */
  async run<Row extends QueryResultRow>(message: string, signal: AbortSignal): Promise<QueryResult<Row>> {
    if (this.held === undefined) await this.open(signal);
    return this.inTurn(async () => {
      const results = (await this.inSavepoint(message)) as QueryResult<Row>[];
      // the last statement of the message; RELEASE stands after it
      const last = results.at(-2);
      if (last === undefined) throw new Error('the server left a statement unanswered');
      return last;
    });
  }

  /**
   * Logs in afresh, which proves that the login works now. The new session takes the place of the old one only when it is
   * ready; on failure the old one stays. Throws the error.
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

  /** Whether the server has an entry in its lock table left. */
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

  /** Whether an administrator waits for a shared catalog, and with them every login: the transaction must end then. */
  async isInTheWay(signal: AbortSignal): Promise<boolean> {
    return (await this.run(`SELECT pg_stat_clear_snapshot();\n${BLOCKED}`, signal)).rowCount !== 0;
  }

  /** Ends the sessions of leases that hoard locks; their number. */
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

  /** Once for all that wait. Where the lock table is full, a login takes the first entries that somebody gives back. */
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

/** Where there is no room for all that it needs, it makes room first. */
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
/** What the server has set aside for one session. */
const SHARE = "current_setting('max_locks_per_transaction')::int";
