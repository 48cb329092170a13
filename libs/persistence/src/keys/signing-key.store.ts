import { auditEntry, MAYFLY } from '@mayfly/audit';
import type { Clock } from '@mayfly/kernel';
import type { SigningKeyPurpose, SigningKeyStore, StoredSigningKey } from '@mayfly/trust';
import type { Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import { hintChange } from '../declarations/change-hint.js';

interface SigningKeyRow {
  readonly kid: string;
  readonly algorithm: StoredSigningKey['algorithm'];
  readonly public_jwk: StoredSigningKey['publicJwk'];
  readonly sealed_private_key: Buffer;
  readonly created_at: Date;
  readonly active_from: Date;
}

/**
 * The store of signing keys of one purpose on PostgreSQL. The caller seals private keys. Rows are never changed or
 * deleted.
 */
export class PgSigningKeyStore implements SigningKeyStore {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    readonly purpose: SigningKeyPurpose,
  ) {}

  async list(): Promise<StoredSigningKey[]> {
    const { rows } = await this.pool
      .query<SigningKeyRow>('SELECT * FROM public.signing_key WHERE purpose = $1 ORDER BY active_from, kid', [
        this.purpose,
      ])
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

  async add(key: StoredSigningKey, expectedCurrentKid: string | undefined): Promise<boolean> {
    const { kid, algorithm, activeFrom } = key;
    const added = await inTransaction(this.pool, async (client) => {
      await client.query(`SELECT pg_advisory_xact_lock(hashtext('mayfly signing keys'))`);
      const { rows } = await client.query<{ kid: string }>(
        'SELECT kid FROM public.signing_key WHERE purpose = $1 ORDER BY active_from DESC, kid DESC LIMIT 1',
        [this.purpose],
      );
      if (rows[0]?.kid !== expectedCurrentKid) return false;
      await client.query(
        `INSERT INTO public.signing_key (purpose, kid, algorithm, public_jwk, sealed_private_key, created_at, active_from)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [this.purpose, kid, algorithm, JSON.stringify(key.publicJwk), key.sealedPrivateKey, key.createdAt, activeFrom],
      );
      const facts = { purpose: this.purpose, kid, algorithm, activeFrom: activeFrom.toISOString() };
      await insertAudit(client, [auditEntry('signing-key.added', this.clock.now(), MAYFLY, {}, facts)]);
      return true;
    }).catch(databaseProblem);
    hintChange(this.pool);
    return added;
  }
}
