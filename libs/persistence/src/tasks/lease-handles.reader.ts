import type { SealedLease } from '@mayfly/credentials';
import type { OrphanStore } from '@mayfly/revocation';
import type { ClientBase, Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';

/** The time for which an ended lease still counts: its objects may disappear during the scan. */
const RECENT_SECONDS = 300;
/** The leases of one statement. */
const PAGE = 5_000;

type HandleRow = SealedLease & { readonly position: string };

/** One page of an index, behind a position and an id. `position` is text, since it has microseconds. */
const LIVING = `SELECT id, provider, sealed_handle AS "sealedHandle", due_at::text AS position FROM public.lease
  WHERE due_at IS NOT NULL AND provider = $1 AND (due_at, id) > ($2::timestamptz, $3) ORDER BY due_at, id LIMIT $4`;
const ENDED_LATELY = `SELECT id, provider, sealed_handle AS "sealedHandle", ended_at::text AS position FROM public.lease
  WHERE ended_at > now() - interval '${String(RECENT_SECONDS)} seconds' AND provider = $1
    AND (ended_at, id) > ($2::timestamptz, $3) ORDER BY ended_at, id LIMIT $4`;

/** Reads the sealed handles of leases, to compare them with the objects at a back end. */
export class LeaseHandlesReader implements OrphanStore {
  constructor(
    private readonly pool: Pool,
    private readonly page = PAGE,
  ) {}

  /**
   * Returns the leases that have not ended, or ended within the last five minutes, however many there are. Throws
   * `unavailable`. All pages are of one snapshot: a lease that moves between two of them is not missed.
   */
  lately(provider: string): Promise<readonly SealedLease[]> {
    return inTransaction(this.pool, async (client) => {
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const living = await this.pages(client, LIVING, provider);
      return [...living, ...(await this.pages(client, ENDED_LATELY, provider))];
    }).catch(databaseUnread);
  }

  private async pages(client: ClientBase, text: string, provider: string): Promise<readonly SealedLease[]> {
    const leases: SealedLease[] = [];
    for (let after: Pick<HandleRow, 'position' | 'id'> = FIRST; ;) {
      const { rows } = await client.query<HandleRow>(text, [provider, after.position, after.id, this.page]);
      for (const { position: _, ...lease } of rows) leases.push(lease);
      const last = rows.at(-1);
      if (last === undefined || rows.length < this.page) return leases;
      after = last;
    }
  }
}

const FIRST = { position: '-infinity', id: '' as SealedLease['id'] };
