import type { Pool } from 'pg';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';

/** The store of used single-use identity tokens, by the issuer's URL and `jti` (RFC 7519 §4.1.7). */
export class IdentityUseStore {
  constructor(private readonly pool: Pool) {}

  /**
   * Marks a token as used. True for the first use on any replica; false for every other until the token has expired.
   */
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

  /** Makes a token usable again after a request that granted nothing. */
  async giveBack(issuer: string, jti: string): Promise<void> {
    await this.pool
      .query('DELETE FROM public.identity_use WHERE issuer = $1 AND jti = $2', [issuer, jti])
      .catch(databaseProblem);
  }

  /** True when the token was used. Does not mark it. Throws `unavailable`. */
  async isUsed(issuer: string, jti: string): Promise<boolean> {
    const { rowCount } = await this.pool
      .query('SELECT FROM public.identity_use WHERE issuer = $1 AND jti = $2', [issuer, jti])
      .catch(databaseUnread);
    return rowCount === 1;
  }

  /** Deletes tokens that expired over two minutes ago; this covers the largest clock tolerance of an issuer. */
  async wipe(): Promise<void> {
    await this.pool.query(`DELETE FROM public.identity_use WHERE expires_at < now() - interval '2 minutes'`);
  }
}
