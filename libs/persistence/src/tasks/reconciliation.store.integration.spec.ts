import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds, newId } from '@mayfly/kernel';
import { reconciliationsSuite, TaskDatabase } from '@mayfly/testing';
import { ComparedLeasesReader } from './compared-leases.reader.js';
import { PgReconciliationStore } from './reconciliation.store.js';

let scene: TaskDatabase;
beforeAll(async () => {
  scene = await TaskDatabase.start();
});
afterAll(() => scene.stop());

describe('PgReconciliationStore', () => {
  reconciliationsSuite(async () => {
    await scene.empty();
    return {
      store: new PgReconciliationStore(scene.pool(), scene.clock),
      advance: (seconds) => scene.advance(seconds),
      auditTypes: async () => {
        const rows = await scene.query<{ type: string }>('SELECT type FROM audit_entry ORDER BY batch, place');
        return rows.map(({ type }) => type);
      },
    };
  });

  it('the serving role cannot delete reconciliations', async () => {
    const rights = await scene.query(
      `SELECT has_table_privilege('mayfly_app', 'reconciliation', 'DELETE') AS "delete",
              has_table_privilege('mayfly_app', 'reconciliation', 'TRUNCATE') AS "truncate"`,
    );
    expect(rights).toEqual([{ delete: false, truncate: false }]);
  });
});

describe('ComparedLeasesReader', () => {
  const taskId = newId('tsk');

  /** Adds a lease in this state that ended, or expires, so many seconds from now. */
  async function add(state: string, seconds: number, connection = 'crm'): Promise<`lse_${string}`> {
    const id = newId('lse');
    const isOver = !['minting', 'active', 'revoking'].includes(state);
    await scene.query(
      `BEGIN; SET LOCAL session_replication_role = replica;
       INSERT INTO lease (id, task_id, name, provider, connection, revocation, state, agent_name, template_name, scope,
           scope_digest, sealed_handle, created_at, mint_by, expires_at, provider_expires_at, due_at, ended_at, end_cause,
           revoke_requested_at, revoke_effective_at)
         SELECT '${id}', '${taskId}', 'api', 'dummy', '${connection}', 'immediate', '${state}', 'a', 't', '{}', 'd', 'sealed',
           at, at, ${isOver ? 'at' : 'later'}, ${state === 'minting' ? 'NULL' : 'at'}, ${isOver ? 'NULL, later' : 'later, NULL'},
           ${isOver || state === 'revoking' ? `'completed', at, ${isOver ? 'at' : 'NULL'}` : 'NULL, NULL, NULL'}
         FROM (SELECT test_clock.now() AS at, test_clock.now() + interval '${String(seconds)} seconds' AS later) AS moment;
       COMMIT`,
    );
    return id;
  }

  it('the reader tells living leases from ended ones, and those that ended since the comparison began', async () => {
    await scene.empty();
    const reader = new ComparedLeasesReader(scene.pool());
    const minting = await add('minting', 300);
    const active = await add('active', 300);
    const revoking = await add('revoking', 300);
    const ended = await add('revoked', -10);
    const elsewhere = await add('active', 300, 'other');
    const { at, leaseIds } = await reader.active('crm');
    expect(leaseIds).toEqual([active]);
    const lately = await add('expired', 1);
    const unknown = newId('lse');
    const standings = await reader.standings([minting, active, revoking, ended, elsewhere, lately, unknown], at);
    expect(Object.fromEntries(standings)).toEqual({
      ...{ [minting]: 'living', [active]: 'living', [revoking]: 'living', [elsewhere]: 'living' },
      ...{ [ended]: 'ended', [lately]: 'ended_lately' },
    });
    expect([...(await reader.standings([ended], addSeconds(at, -60)))]).toEqual([[ended, 'ended_lately']]);
    expect((await reader.active('nowhere')).leaseIds).toEqual([]);
  });

  it('the reader finds the leases that are active still, and not one that ends within a minute', async () => {
    await scene.empty();
    const reader = new ComparedLeasesReader(scene.pool());
    const [active, ending, revoking] = [await add('active', 300), await add('active', 30), await add('revoking', 300)];
    const found = await reader.stillActive([active, ending, revoking, newId('lse')]);
    expect(found).toEqual([{ id: active, provider: 'dummy', sealedHandle: expect.any(Buffer) }]);
    expect(await reader.stillActive([])).toEqual([]);
  });
});
