import type { WakeUp } from '@mayfly/issuance';
import {
  addSeconds,
  type AgentId,
  type Clock,
  type LeaseId,
  type LockdownId,
  newId,
  type TaskId,
} from '@mayfly/kernel';
import type { LockdownScope } from '@mayfly/tasks';
import pg from 'pg';
import { createMigratedDatabase } from './migrated-database.js';
import type { TestDatabase } from './test-database.js';
import type { LeaseView, TaskScene, TaskView } from './task-stores.js';

/**
 * The search path and schema that replace `now()` and `clock_timestamp()` in every session. Each row moves the clock
 * from an instant of the server on: a transaction that began before keeps its `now()`. With `frozen_at`, time passes
 * only when a test moves the clock.
 */
const SEARCH_PATH = 'test_clock,pg_catalog';
const CLOCK = `
CREATE SCHEMA test_clock;
CREATE TABLE test_clock.moves AS SELECT '-infinity'::timestamptz AS at, 0::float AS seconds, NULL::timestamptz AS frozen_at;
CREATE INDEX ON test_clock.moves (at);
CREATE FUNCTION test_clock.moved(at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS
  'SELECT coalesce(frozen_at, $1) + make_interval(secs => seconds) FROM test_clock.moves WHERE at <= $1 ORDER BY at DESC LIMIT 1';
CREATE FUNCTION test_clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS
  'SELECT test_clock.moved(pg_catalog.now())';
CREATE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  'SELECT test_clock.moved(pg_catalog.clock_timestamp())';
GRANT USAGE ON SCHEMA test_clock TO mayfly_app;
GRANT SELECT ON test_clock.moves TO mayfly_app`;

const TABLES =
  'agent, connection, policy, template, task, lease, quota_counter, audit_entry, audit_pending, audit_seal, decision, decision_facts, outbox, task_ending, lockdown, delegation, idempotency_key, identity_use, use_counter, use_key, signing_key, denial_document, kept_denial, reconciliation, reconciliation_turn, death_probe, document_change';

/** A migrated PostgreSQL database whose clock a test sets, with direct access to its rows. */
export class TaskDatabase implements TaskScene {
  readonly clock: Clock = { now: () => addSeconds(this.frozenAt ?? new Date(), this.skewSeconds) };
  private skewSeconds = 0;
  private frozenAt: Date | undefined;
  private readonly pools: pg.Pool[] = [];
  private readonly sessions: pg.Client[] = [];

  private constructor(
    private readonly database: TestDatabase,
    private readonly admin: pg.Pool,
  ) {}

  static async start(): Promise<TaskDatabase> {
    const database = await createMigratedDatabase();
    const admin = new pg.Pool({ connectionString: database.adminUrl, max: 2 });
    await admin.query(CLOCK);
    // The path finds these two functions before those of the catalog.
    await admin.query(`ALTER DATABASE ${database.name} SET search_path TO ${SEARCH_PATH}`);
    // Tests may omit the schema of a table, which the service must name.
    await admin.query(`ALTER ROLE postgres IN DATABASE ${database.name} SET search_path TO ${SEARCH_PATH},public`);
    await admin.end();
    return new TaskDatabase(database, quiet(new pg.Pool({ connectionString: database.adminUrl, max: 2 })));
  }

  /** the search path for sessions that set their own: it starts with the test clock */
  readonly searchPath = SEARCH_PATH;

  /** the URL for the serving role */
  get url(): string {
    return this.database.url;
  }

  /** Makes the pool of one more replica, with the rights of the serving role. */
  pool(applicationName = 'replica'): pg.Pool {
    const pool = quiet(new pg.Pool({ connectionString: this.url, max: 6, application_name: applicationName }));
    this.pools.push(pool);
    return pool;
  }

  /** Queries as the superuser, which no service may do. */
  async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.admin.query<Row>(text, [...values])).rows;
  }

  /** Opens a session of the superuser, to hold a transaction open. */
  async session(): Promise<pg.Client> {
    const session = new pg.Client({ connectionString: this.database.adminUrl });
    session.on('error', () => undefined);
    await session.connect();
    this.sessions.push(session);
    return session;
  }

  /** Empties the tables of `TABLES`. The triggers that protect history are off meanwhile. */
  async empty(): Promise<void> {
    await this.query(`BEGIN; SET LOCAL session_replication_role = replica; TRUNCATE ${TABLES} CASCADE;
      DELETE FROM guard WHERE kind <> 'all'; UPDATE guard SET lockdown_id = NULL;
      UPDATE store_epoch SET lineage = NULL, is_written = false, superseded = NULL, quarantined_at = NULL, cause = NULL, expected = NULL, found = NULL; COMMIT`);
  }

  /** Resolves once so many other sessions wait for a lock. */
  async untilBlocked(sessions = 1): Promise<void> {
    const blocked = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while ((await this.query(blocked)).length < sessions);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.pools, ...this.sessions, this.admin].map((one) => one.end()));
    await this.database.drop();
  }

  /** Sets the clock to `at`. From then on only `advance` moves it. */
  async freeze(at: Date): Promise<void> {
    [this.frozenAt, this.skewSeconds] = [at, 0];
    await this.move();
  }

  async advance(seconds: number): Promise<void> {
    this.skewSeconds += seconds;
    await this.move();
  }

  async setAgent(id: AgentId, state: 'active' | 'suspended'): Promise<void> {
    await this.query(
      `INSERT INTO agent (id, name, spec, state, updated_by) VALUES ($1, $1, '{}', $2, 'test') ON CONFLICT DO NOTHING`,
      [id, state],
    );
    await this.query('UPDATE agent SET state = $2 WHERE id = $1', [id, state]);
  }

  async setTemplate(name: string, version: number | undefined): Promise<void> {
    await this.query(
      `INSERT INTO template (name, state, current_version) VALUES ($1, $2, $3)
       ON CONFLICT (name) DO UPDATE SET state = $2, current_version = $3`,
      [name, version === undefined ? 'retired' : 'published', version ?? null],
    );
  }

  async lockDown({ kind, name }: LockdownScope): Promise<LockdownId> {
    const id = newId('lkd');
    await this.query(
      `INSERT INTO guard (kind, name, lockdown_id) VALUES ($1, $2, $3)
       ON CONFLICT (kind, name) DO UPDATE SET lockdown_id = excluded.lockdown_id`,
      [kind, name, id],
    );
    return id;
  }

  async disableConnection(name: string): Promise<void> {
    await this.query(
      `INSERT INTO connection (name, spec, state, updated_by) VALUES ($1, '{}', 'disabled', 'test')
       ON CONFLICT (name) DO UPDATE SET state = 'disabled'`,
      [name],
    );
  }

  async task(taskId: TaskId): Promise<TaskView | undefined> {
    const [row] = await this.query<{ [Key in keyof TaskView]: TaskView[Key] | null }>(
      `SELECT state, end_cause AS "endCause", end_reason AS "endReason", expires_at AS "expiresAt",
         live_leases AS "liveLeases" FROM task WHERE id = $1`,
      [taskId],
    );
    return row === undefined ? undefined : (withoutNulls(row) as TaskView);
  }

  async leases(taskId: TaskId): Promise<readonly LeaseView[]> {
    const rows = await this.query<{ [Key in keyof LeaseView]: LeaseView[Key] | null }>(
      `SELECT id, state, due_at AS "dueAt", expires_at AS "expiresAt", provider_expires_at AS "providerExpiresAt",
         end_cause AS "endCause", revoke_requested_at AS "revokeRequestedAt", revoke_effective_at AS "revokeEffectiveAt",
         attempts, last_error AS "lastError" FROM lease WHERE task_id = $1 ORDER BY id`,
      [taskId],
    );
    return rows.map((row) => withoutNulls(row) as LeaseView);
  }

  async auditTypes(taskId: TaskId): Promise<readonly string[]> {
    const rows = await this.query<{ type: string }>(
      'SELECT type FROM audit_entry WHERE task_id = $1 ORDER BY batch, place',
      [taskId],
    );
    return rows.map(({ type }) => type);
  }

  async auditBodies(): Promise<readonly string[]> {
    return (await this.query<{ body: string }>('SELECT body FROM audit_entry')).map(({ body }) => body);
  }

  wakeUps(leaseId: LeaseId): Promise<readonly WakeUp[]> {
    return this.query<WakeUp & pg.QueryResultRow>(
      `SELECT lease_id AS "leaseId", reason, run_at AS "runAt" FROM outbox WHERE lease_id = $1 ORDER BY id`,
      [leaseId],
    );
  }

  async runningTasks(scope: string): Promise<number> {
    const [row] = await this.query<{ active: number }>('SELECT active FROM quota_counter WHERE scope = $1', [scope]);
    return row?.active ?? 0;
  }

  private async move(): Promise<void> {
    await this.query(`INSERT INTO test_clock.moves VALUES (pg_catalog.clock_timestamp(), $1, $2)`, [
      this.skewSeconds,
      this.frozenAt ?? null,
    ]);
  }
}

function withoutNulls(row: object): object {
  return Object.fromEntries(Object.entries(row).map(([key, value]: [string, unknown]) => [key, value ?? undefined]));
}

/** Ignores errors of connections that are still closing when their database is dropped. */
function quiet(pool: pg.Pool): pg.Pool {
  pool.on('error', () => undefined);
  return pool.on('connect', (client) => client.on('error', () => undefined));
}
