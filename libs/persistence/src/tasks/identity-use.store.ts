import type { Pool } from 'pg';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';

/** Identity tokens that may be used once, known by their issuer's URL and `jti` (RFC 7519 §4.1.7). */
export class IdentityUseStore {
  constructor(private readonly pool: Pool) {}

  /** True for the first use on any replica, false for every other until the token has expired. */
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

  /** Makes a token usable again: nothing came of the request that used it up. */
  async giveBack(issuer: string, jti: string): Promise<void> {
    await this.pool
      .query('DELETE FROM public.identity_use WHERE issuer = $1 AND jti = $2', [issuer, jti])
      .catch(databaseProblem);
  }

  /** Whether it was used already; it stays as it is. Throws `unavailable`. */
  async isUsed(issuer: string, jti: string): Promise<boolean> {
    const { rowCount } = await this.pool
      .query('SELECT FROM public.identity_use WHERE issuer = $1 AND jti = $2', [issuer, jti])
      .catch(databaseUnread);
    return rowCount === 1;
  }

  /** Forgets tokens that have long expired; two minutes cover every clock tolerance that an issuer may have. */
  async wipe(): Promise<void> {
    await this.pool.query(`DELETE FROM public.identity_use WHERE expires_at < now() - interval '2 minutes'`);
  }
}
