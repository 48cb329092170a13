import type { Pool } from 'pg';

/**
 * Tells the other replicas, after a commit, that declared state may have changed: they look at the revision at once.
 * Only a hint: it is not awaited, and its failure (such as a full notification queue) is ignored, since replicas poll
 * the revision in any case.
 */
export function hintChange(pool: Pool): void {
  pool.query(`SELECT pg_notify('mayfly_catalog', '')`).catch(() => undefined);
}
