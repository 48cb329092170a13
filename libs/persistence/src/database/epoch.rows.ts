import type { AuditEntry } from '@mayfly/audit';
import type {
  EnteredQuarantine,
  Epoch,
  EpochRows,
  LogPosition,
  QuarantineCause,
  StoredEpoch,
} from '@mayfly/revocation';
import { Problem } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, databaseUnread } from './database-problem.js';
import { inTransaction } from './transaction.js';

interface Row {
  readonly lineage: string | null;
  readonly is_written: boolean;
  readonly superseded: Epoch | null;
  readonly quarantined_at: Date | null;
  readonly cause: QuarantineCause | null;
  readonly expected: Epoch | null;
  readonly found: LogPosition | null;
  readonly sequence: string | null;
  readonly leaf: Buffer | null;
  readonly leaf_at: Buffer | null;
}

/** Reads the last sealed entry, and the leaf hash of entry `$1`, by the index on `first_seq`. */
const READ = `
SELECT e.lineage, e.is_written, e.superseded, e.quarantined_at, e.cause, e.expected, e.found,
  h.first_seq + h.entries - 1 AS sequence, substring(h.leaf_hashes FROM 32 * (h.entries - 1) + 1 FOR 32) AS leaf,
  substring(a.leaf_hashes FROM 32 * ($1::bigint - a.first_seq)::int + 1 FOR 32) AS leaf_at
FROM public.store_epoch e
LEFT JOIN LATERAL (
  SELECT s.first_seq, s.entries, s.leaf_hashes FROM public.audit_seal s ORDER BY s.first_seq DESC LIMIT 1) h ON true
LEFT JOIN LATERAL (
  SELECT s.first_seq, s.entries, s.leaf_hashes FROM public.audit_seal s WHERE s.first_seq <= $1::bigint
  ORDER BY s.first_seq DESC LIMIT 1) a ON a.first_seq + a.entries > $1::bigint
WHERE e.id = 0`;

const ADOPT = `UPDATE public.store_epoch SET lineage = $1 WHERE id = 0 AND lineage IS NULL`;

const NOTE_WRITTEN = `UPDATE public.store_epoch SET is_written = true WHERE id = 0 AND lineage = $1`;

const ENTER = `
UPDATE public.store_epoch SET quarantined_at = $1, cause = $2, expected = $3::jsonb, found = $4::jsonb
WHERE id = 0 AND quarantined_at IS NULL AND lineage IS NOT DISTINCT FROM $5`;

const CONFIRM = `
UPDATE public.store_epoch
SET quarantined_at = NULL, cause = NULL, expected = NULL, found = NULL, lineage = $1, superseded = $2::jsonb, is_written = false
WHERE id = 0 AND quarantined_at IS NOT NULL`;

/** The half of the epoch inside of the database, on PostgreSQL. */
export class PgEpochRows implements EpochRows {
  constructor(private readonly pool: Pool) {}

  async read(sequence: number): Promise<StoredEpoch> {
    const { rows } = await this.pool
      .query<Row>({ name: 'read-epoch', text: READ, values: [sequence] })
      .catch(databaseUnread);
    return storedOf(rows[0]);
  }

  async adopt(lineage: string): Promise<string> {
    await this.pool.query(ADOPT, [lineage]).catch(databaseProblem);
    return (await this.read(0)).lineage ?? lineage;
  }

  async noteWritten(lineage: string): Promise<void> {
    await this.pool.query(NOTE_WRITTEN, [lineage]).catch(databaseProblem);
  }

  async enter({ cause, expected, found, since, lineage }: EnteredQuarantine, entry: AuditEntry): Promise<boolean> {
    return this.change(ENTER, [since, cause, jsonOf(expected), JSON.stringify(found), lineage ?? null], entry);
  }

  async confirm({ lineage, replaced }: Parameters<EpochRows['confirm']>[0], entry: AuditEntry): Promise<boolean> {
    return this.change(CONFIRM, [lineage, jsonOf(replaced)], entry);
  }

  private async change(text: string, values: readonly unknown[], entry: AuditEntry): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      if ((await client.query(text, [...values])).rowCount !== 1) return false;
      await insertAudit(client, [entry]);
      return true;
    }).catch(databaseProblem);
  }
}

function jsonOf(epoch: Epoch | undefined): string | null {
  return epoch === undefined ? null : JSON.stringify(epoch);
}

function storedOf(row: Row | undefined): StoredEpoch {
  if (row === undefined) throw new Problem('unavailable', 'the row of the epoch is gone; restore the database');
  return {
    lineage: row.lineage ?? undefined,
    isWritten: row.is_written,
    head: { sequence: Number(row.sequence ?? 0), leaf: textOf(row.leaf) },
    leafAt: textOf(row.leaf_at),
    superseded: row.superseded ?? undefined,
    quarantine: quarantineOf(row),
  };
}

function textOf(leaf: Buffer | null): string {
  return leaf === null ? '' : leaf.toString('base64url');
}

function quarantineOf({ quarantined_at: since, cause, expected, found }: Row): StoredEpoch['quarantine'] {
  if (since === null || cause === null || found === null) return undefined;
  return { since, cause, expected: expected ?? undefined, found };
}
