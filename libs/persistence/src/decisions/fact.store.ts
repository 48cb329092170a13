import type { FactStore } from '@mayfly/issuance';
import type { Pool } from 'pg';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';

/** The declared facts of decisions on PostgreSQL. */
export class PgFactStore implements FactStore {
  constructor(private readonly pool: Pool) {}

  async keep(digest: string, body: string): Promise<void> {
    await this.pool
      .query('INSERT INTO public.decision_facts (digest, body) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING', [
        digest,
        body,
      ])
      .catch(databaseProblem);
  }

  async find(digest: string): Promise<string | undefined> {
    const { rows } = await this.pool
      .query<{ body: string }>('SELECT body FROM public.decision_facts WHERE digest = $1', [digest])
      .catch(databaseUnread);
    return rows[0]?.body;
  }
}
