import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import { addSeconds, type Clock, type Page, type PageRequest, type ReconciliationId } from '@mayfly/kernel';
import type {
  Reconciliation,
  ReconciliationRecords,
  ReconciliationRequest,
  ReconciliationTurn,
  ReconciliationTurns,
  TurnResult,
} from '@mayfly/revocation';

interface FakeTurn {
  readonly version: number;
  readonly claimedUntil?: Date;
  readonly seen: string;
}

/** The store of reconciliations, in memory. */
export class FakeReconciliations implements ReconciliationRecords, ReconciliationTurns {
  readonly audit: AuditEntry[] = [];
  private readonly rows = new Map<ReconciliationId, Reconciliation & { readonly attempts: number }>();
  private readonly turns = new Map<string, FakeTurn>();

  constructor(private readonly clock: Clock) {}

  async request({ id, connection, actor }: ReconciliationRequest): Promise<Reconciliation> {
    const running = this.newestFirst().find((row) => row.connection === connection && row.state === 'running');
    if (running !== undefined) return shown(running);
    const now = this.clock.now();
    const row = { id, connection, actor, state: 'running', requestedAt: now, differences: [], leftOut: 0 } as const;
    this.rows.set(id, { ...row, attempts: 0 });
    this.audit.push(auditEntry('reconciliation.requested', now, actor, {}, { reconciliation: id, connection }));
    return row;
  }

  async find(id: ReconciliationId): Promise<Reconciliation | undefined> {
    const row = this.rows.get(id);
    return row === undefined ? undefined : shown(row);
  }

  async list(
    { connection }: Parameters<ReconciliationRecords['list']>[0],
    { limit, after }: PageRequest<ReconciliationId>,
  ): Promise<Page<Reconciliation, ReconciliationId>> {
    const all = this.newestFirst().filter(
      (row) => (connection ?? row.connection) === row.connection && (after === undefined || row.id < after),
    );
    const items = all.slice(0, limit).map(shown);
    const last = items.at(-1);
    return { items, ...(last !== undefined && all.length > limit ? { next: last.id } : {}) };
  }

  async takeRequested(seconds: number): Promise<ReconciliationTurn | undefined> {
    const next = this.newestFirst()
      .toReversed()
      .find(({ state, connection }) => state === 'running' && this.isFree(connection));
    const turn = next && this.claim(next.connection, seconds);
    if (next === undefined || turn === undefined) return undefined;
    const attempts = next.attempts + 1;
    this.rows.set(next.id, { ...next, startedAt: next.startedAt ?? this.clock.now(), attempts });
    return { ...turn, requested: { id: next.id, attempts } };
  }

  async take(connection: string, seconds: number): Promise<ReconciliationTurn | undefined> {
    const isAsked = this.newestFirst().some((row) => row.connection === connection && row.state === 'running');
    return isAsked ? undefined : this.claim(connection, seconds);
  }

  async note(turn: ReconciliationTurn, entries: readonly AuditEntry[]): Promise<boolean> {
    if (!this.holds(turn)) return false;
    this.audit.push(...entries);
    return true;
  }

  async settle(turn: ReconciliationTurn, { seen, row, entries }: TurnResult): Promise<boolean> {
    if (!this.holds(turn)) return false;
    this.turns.set(turn.connection, { version: turn.version, seen });
    this.audit.push(...entries);
    if (row !== undefined) this.finish(turn, row);
    return true;
  }

  private claim(connection: string, seconds: number): ReconciliationTurn | undefined {
    if (!this.isFree(connection)) return undefined;
    const { version, seen } = this.turns.get(connection) ?? { version: 0, seen: '' };
    const claimedUntil = addSeconds(this.clock.now(), seconds);
    this.turns.set(connection, { version: version + 1, seen, claimedUntil });
    return { connection, version: version + 1, seen };
  }

  private finish({ connection }: ReconciliationTurn, row: NonNullable<TurnResult['row']>): void {
    const now = this.clock.now();
    const before = this.rows.get(row.id) ?? { actor: MAYFLY, requestedAt: now, startedAt: now, attempts: 0 };
    this.rows.set(row.id, { ...before, ...row, connection, finishedAt: now });
  }

  private newestFirst() {
    return [...this.rows.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
  }

  private isFree(connection: string): boolean {
    const until = this.turns.get(connection)?.claimedUntil;
    return until === undefined || until < this.clock.now();
  }

  private holds({ connection, version }: ReconciliationTurn): boolean {
    return this.turns.get(connection)?.version === version && !this.isFree(connection);
  }
}

function shown({ attempts: _, ...row }: Reconciliation & { readonly attempts: number }): Reconciliation {
  return row;
}
