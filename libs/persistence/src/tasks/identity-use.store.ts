import type { IdentityUses } from '@mayfly/identity';
import type { Pool } from 'pg';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';

/** Used single-use identity tokens on PostgreSQL. */
export class IdentityUseStore implements IdentityUses {
  constructor(private readonly pool: Pool) {}

  async consume(issuer: string, jti: string, expiresAt: Date): Promise<boolean> {
    const { rowCount } = await this.pool
      .query('INSERT INTO public.identity_use (issuer, jti, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
        issuer,
        jti,
        expiresAt,
      ])
      .catch(databaseProblem);
    return rowCount === 1;
  }

  async giveBack(issuer: string, jti: string): Promise<void> {
    await this.pool
      .query('DELETE FROM public.identity_use WHERE issuer = $1 AND jti = $2', [issuer, jti])
      .catch(databaseProblem);
  }

  async isUsed(issuer: string, jti: string): Promise<boolean> {
    const { rowCount } = await this.pool
      .query('SELECT FROM public.identity_use WHERE issuer = $1 AND jti = $2', [issuer, jti])
      .catch(databaseUnread);
    return rowCount === 1;
  }

  /**
   * Deletes tokens that expired over two minutes ago; this covers the largest clock tolerance of an issuer. Deletes at
   * most `limit`; true when there may be more.
   */
  async wipe(limit = 1_000): Promise<boolean> {
    const { rowCount } = await this.pool.query({
      name: 'forget-uses',
      text: `DELETE FROM public.identity_use WHERE (issuer, jti) IN (
               SELECT issuer, jti FROM public.identity_use WHERE expires_at < now() - interval '2 minutes'
               ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      values: [limit],
    });
    return rowCount === limit;
  }
}
