import { afterAll, beforeAll } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { bareEntry, epochRowsSuite, TaskDatabase } from '@mayfly/testing';
import { AuditSealer } from '../audit/audit-sealer.js';
import { insertAudit } from '../audit/audit-rows.js';
import { PgEpochRows } from './epoch.rows.js';

let database: TaskDatabase;
beforeAll(async () => {
  database = await TaskDatabase.start();
});
afterAll(() => database.stop());

epochRowsSuite(async () => {
  await database.empty();
  const pool = database.pool();
  const sealer = new AuditSealer(pool);
  const types = async () =>
    (await database.query<{ type: string }>('SELECT type FROM audit_entry ORDER BY batch, place')).map(
      ({ type }) => type,
    );
  return {
    rows: new PgEpochRows(pool),
    seal: async () => {
      await insertAudit(pool, [bareEntry('target.repaired', new Date(), MAYFLY)]);
      await sealer.seal();
      const [row] = await database.query<{ leaf: Buffer }>(
        'SELECT leaf_hashes AS leaf FROM audit_seal ORDER BY first_seq DESC LIMIT 1',
      );
      return row?.leaf.toString('base64url') ?? '';
    },
    auditTypes: types,
  };
});
