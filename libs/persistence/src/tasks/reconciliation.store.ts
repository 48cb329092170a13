import { type Actor, auditEntry, type AuditEntry } from '@mayfly/audit';
import { type Clock, type Page, type PageRequest, present, type ReconciliationId } from '@mayfly/kernel';
import type {
  Difference,
  Reconciliation,
  ReconciliationRecords,
  ReconciliationRequest,
  ReconciliationTurn,
  ReconciliationTurns,
  TurnResult,
} from '@mayfly/revocation';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';
import { Conditions } from '../database/history-conditions.js';
import { pageOf } from '../database/history-page.js';
import { inTransaction } from '../database/transaction.js';

interface Row {
  readonly id: ReconciliationId;
  readonly connection: string;
  readonly state: Reconciliation['state'];
  readonly actor: Actor;
  readonly requested_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly differences: readonly Difference[];
  readonly left_out: number;
  readonly error: string | null;
}

const COLUMNS = `id, connection, state, actor, requested_at, started_at, finished_at, differences, left_out, error`;

/** The index allows one running row for each connection. */
const REQUEST = `
INSERT INTO public.reconciliation (id, connection, state, actor, requested_at) SELECT $1, $2, 'running', $3::jsonb, now()
ON CONFLICT (connection) WHERE state = 'running' DO NOTHING`;

const RUNNING = `SELECT ${COLUMNS} FROM public.reconciliation WHERE connection = $1 AND state = 'running'`;

/** The oldest request whose connection nobody compares now. Locks nothing: the turn decides who carries it out. */
const NEXT = `
SELECT r.id, r.connection FROM public.reconciliation r
WHERE r.state = 'running' AND NOT EXISTS (
  SELECT FROM public.reconciliation_turn t WHERE t.connection = r.connection AND t.claimed_until >= now())
ORDER BY r.requested_at, r.id LIMIT 1`;

const ADD_TURN = `INSERT INTO public.reconciliation_turn (connection) VALUES ($1) ON CONFLICT (connection) DO NOTHING`;

const CLAIM = `
WITH free AS (
  SELECT connection, now() + make_interval(secs => $2) AS claimed_until FROM public.reconciliation_turn
  WHERE connection = $1 AND (claimed_until IS NULL OR claimed_until < now()) FOR UPDATE
)
UPDATE public.reconciliation_turn t SET version = t.version + 1, claimed_until = free.claimed_until
FROM free WHERE t.connection = free.connection RETURNING t.version, t.seen`;

const BEGIN_REQUESTED = `
UPDATE public.reconciliation SET started_at = coalesce(started_at, moment.at), attempts = attempts + 1
FROM (SELECT now() AS at) AS moment WHERE id = $1 AND state = 'running' RETURNING attempts`;

/** Locks the turn, so that it cannot pass to another process before the caller's transaction ends. */
const HOLD = `
SELECT FROM public.reconciliation_turn WHERE connection = $1 AND version = $2 AND claimed_until >= now() FOR UPDATE`;

const GIVE_BACK = `UPDATE public.reconciliation_turn SET claimed_until = NULL, seen = $2 WHERE connection = $1`;

const FINISH = `
UPDATE public.reconciliation SET state = $2, finished_at = moment.at, differences = $3::jsonb, left_out = $4, error = $5
FROM (SELECT now() AS at) AS moment WHERE id = $1 AND state = 'running'`;

const ADD_FINISHED = `
INSERT INTO public.reconciliation (id, state, differences, left_out, error, connection, actor, requested_at, started_at, finished_at)
SELECT $1, $2, $3::jsonb, $4, $5, $6, '{"kind":"mayfly"}', now(), now(), now()`;

/** Reconciliations and the turns to carry them out, on PostgreSQL. */
export class PgReconciliationStore implements ReconciliationRecords, ReconciliationTurns {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
  ) {}

  async request(request: ReconciliationRequest): Promise<Reconciliation> {
    return inTransaction(this.pool, async (client) => {
      // The running one may end between the two statements; then the next try inserts.
      for (;;) {
        const isNew = await this.insert(client, request);
        const { rows } = await client.query<Row>(RUNNING, [request.connection]);
        const [row] = rows;
        if (row === undefined) continue;
        if (isNew) await insertAudit(client, [this.requestedEntry(request)]);
        return reconciliationOf(row);
      }
    }).catch(databaseProblem);
  }

  async find(id: ReconciliationId): Promise<Reconciliation | undefined> {
    const text = `SELECT ${COLUMNS} FROM public.reconciliation WHERE id = $1`;
    const { rows } = await this.pool.query<Row>(text, [id]).catch(databaseUnread);
    return rows[0] === undefined ? undefined : reconciliationOf(rows[0]);
  }

  async list(
    { connection }: Parameters<ReconciliationRecords['list']>[0],
    { limit, after }: PageRequest<ReconciliationId>,
  ): Promise<Page<Reconciliation, ReconciliationId>> {
    const conditions = new Conditions().add('connection = ?', connection).add('id < ?', after);
    const most = conditions.parameter(limit + 1);
    const text = `SELECT ${COLUMNS} FROM public.reconciliation ${conditions.where} ORDER BY id DESC LIMIT ${most}`;
    const { rows } = await this.pool.query<Row>(text, conditions.values).catch(databaseUnread);
    return pageOf(rows, limit, reconciliationOf, ({ id }) => id);
  }

  async takeRequested(seconds: number): Promise<ReconciliationTurn | undefined> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<Pick<Row, 'id' | 'connection'>>(NEXT);
      const [next] = rows;
      const turn = next === undefined ? undefined : await claim(client, next.connection, seconds);
      if (next === undefined || turn === undefined) return undefined;
      const [begun] = (await client.query<{ attempts: number }>(BEGIN_REQUESTED, [next.id])).rows;
      if (begun !== undefined) return { ...turn, requested: { id: next.id, attempts: begun.attempts } };
      // another process finished it after it was read
      await client.query(GIVE_BACK, [turn.connection, turn.seen]);
      return undefined;
    }).catch(databaseProblem);
  }

  async take(connection: string, seconds: number): Promise<ReconciliationTurn | undefined> {
    return inTransaction(this.pool, async (client) => {
      const { rowCount } = await client.query(RUNNING, [connection]);
      return rowCount === 0 ? claim(client, connection, seconds) : undefined;
    }).catch(databaseProblem);
  }

  async note(turn: ReconciliationTurn, entries: readonly AuditEntry[]): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      if (!(await holds(client, turn))) return false;
      await insertAudit(client, entries);
      return true;
    }).catch(databaseProblem);
  }

  async settle(turn: ReconciliationTurn, { seen, row, entries }: TurnResult): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      if (!(await holds(client, turn))) return false;
      await client.query(GIVE_BACK, [turn.connection, seen]);
      if (row !== undefined) await finish(client, turn, row);
      await insertAudit(client, entries);
      return true;
    }).catch(databaseProblem);
  }

  private async insert(client: ClientBase, { id, connection, actor }: ReconciliationRequest): Promise<boolean> {
    return (await client.query(REQUEST, [id, connection, JSON.stringify(actor)])).rowCount === 1;
  }

  private requestedEntry({ id, connection, actor }: ReconciliationRequest): AuditEntry {
    const facts = { reconciliation: id, connection };
    return auditEntry('reconciliation.requested', this.clock.now(), actor, {}, facts);
  }
}

async function claim(
  client: ClientBase,
  connection: string,
  seconds: number,
): Promise<Omit<ReconciliationTurn, 'requested'> | undefined> {
  await client.query(ADD_TURN, [connection]);
  const { rows } = await client.query<{ version: number; seen: string }>(CLAIM, [connection, seconds]);
  return rows[0] === undefined ? undefined : { connection, ...rows[0] };
}

async function holds(client: ClientBase, { connection, version }: ReconciliationTurn): Promise<boolean> {
  return (await client.query(HOLD, [connection, version])).rowCount === 1;
}

async function finish(
  client: ClientBase,
  { connection, requested }: ReconciliationTurn,
  { id, state, differences, leftOut, error }: NonNullable<TurnResult['row']>,
): Promise<void> {
  const values = [id, state, JSON.stringify(differences), leftOut, error ?? null];
  if (requested === undefined) await client.query(ADD_FINISHED, [...values, connection]);
  else await client.query(FINISH, values);
}

function reconciliationOf(row: Row): Reconciliation {
  const { id, connection, state, actor, differences } = row;
  return {
    ...{ id, connection, state, actor, differences, requestedAt: row.requested_at, leftOut: row.left_out },
    ...present({ startedAt: row.started_at, finishedAt: row.finished_at, error: row.error }),
  };
}
