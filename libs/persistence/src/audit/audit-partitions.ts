import type { Pool } from 'pg';

/**
 * Makes the partitions of `audit_entry` before the sequence of batches reaches them (ADR 0016), and those of `decision`
 * before the time does (ADR 0025). Every replica may do so at any time: one makes a partition, the others find it.
 */
export class AuditPartitions {
  constructor(private readonly pool: Pool) {}

  /**
   * Makes the partitions of the next two ranges, if they are missing, and returns how many it made. Waits 0.2 s at most
   * for readers of the default partition, then throws: the next round tries again.
   */
  async prepare(): Promise<number> {
    const made = await Promise.all(['audit', 'decision'].map((table) => this.prepareOf(table)));
    return made.reduce((sum, one) => sum + one);
  }

  private async prepareOf(table: string): Promise<number> {
    const { rows } = await this.pool.query<{ made: number }>({
      name: `prepare-${table}-partitions`,
      text: `SELECT public.prepare_${table}_partitions() AS made`,
    });
    return rows[0]?.made ?? 0;
  }
}
