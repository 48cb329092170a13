import type { Pool } from 'pg';

/**
 * Assigns committed audit entries their number in the gapless sequence, and their leaf hash: SHA-256(0x00 ‖ body), RFC
 * 6962 §2.1. One process does so at a time, over all replicas. The cost of a round depends on what is new: it reads the
 * list of batches without a seal, not the log (ADR 0006).
 */
export class AuditSealer {
  constructor(private readonly pool: Pool) {}

  /** Numbers the entries of at most `batches` batches and returns how many; 0 while another replica does so. */
  async seal(batches = 2_000): Promise<number> {
    const { rows } = await this.pool.query<{ entries: number }>({
      name: 'seal-audit',
      text: 'SELECT public.seal_audit($1, clock_timestamp()) AS entries',
      values: [batches],
    });
    return rows[0]?.entries ?? 0;
  }
}
