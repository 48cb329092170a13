import { auditEntry, MAYFLY } from '@mayfly/audit';
import type { Clock } from '@mayfly/kernel';
import type { SigningKeyStore, StoredSigningKey } from '@mayfly/trust';
import type { Pool } from 'pg';
import { insertAudit } from './audit-rows.js';
import { databaseProblem } from './database-problem.js';
import { inTransaction } from './transaction.js';

interface SigningKeyRow {
  readonly kid: string;
  readonly algorithm: StoredSigningKey['algorithm'];
  readonly public_jwk: StoredSigningKey['publicJwk'];
  readonly sealed_private_key: Buffer;
  readonly created_at: Date;
  readonly active_from: Date;
}

/** Signing keys on PostgreSQL, their private halves sealed by the caller. Rows are kept. */
export class PgSigningKeyStore implements SigningKeyStore {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
  ) {}

  async list(): Promise<StoredSigningKey[]> {
    const { rows } = await this.pool
      .query<SigningKeyRow>('SELECT * FROM signing_key ORDER BY active_from, kid')
      .catch(databaseProblem);
    return rows.map((row) => ({
      kid: row.kid,
      algorithm: row.algorithm,
      publicJwk: row.public_jwk,
      sealedPrivateKey: row.sealed_private_key,
      createdAt: row.created_at,
      activeFrom: row.active_from,
    }));
  }

  add(key: StoredSigningKey, expectedCurrentKid: string | undefined): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      await client.query(`SELECT pg_advisory_xact_lock(hashtext('mayfly signing keys'))`);
      const { rows } = await client.query<{ kid: string }>(
        'SELECT kid FROM signing_key ORDER BY active_from DESC, kid DESC LIMIT 1',
      );
      if (rows[0]?.kid !== expectedCurrentKid) return false;
      await client.query(
        `INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_key, created_at, active_from)
         VALUES ($1, $2, $3, $4, $5, $6)`,
        [key.kid, key.algorithm, JSON.stringify(key.publicJwk), key.sealedPrivateKey, key.createdAt, key.activeFrom],
      );
      const facts = { kid: key.kid, algorithm: key.algorithm, activeFrom: key.activeFrom.toISOString() };
      await insertAudit(client, [auditEntry('signing-key.added', this.clock.now(), MAYFLY, {}, facts)]);
      return true;
    }).catch(databaseProblem);
  }
}
