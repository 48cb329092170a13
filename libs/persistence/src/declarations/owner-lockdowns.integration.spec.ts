import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { TaskDatabase } from '@mayfly/testing';
import type { Pool } from 'pg';
import { inTransaction } from '../database/transaction.js';
import { refuseOwnerEscape } from './owner-lockdowns.js';

let scene: TaskDatabase;
let pool: Pool;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pool = scene.pool();
});
beforeEach(async () => {
  await scene.empty();
  const spec = JSON.stringify({ owner: 'support' });
  await scene.query(`INSERT INTO agent (id, name, spec, updated_by) VALUES ('agt_1', 'one', '${spec}', 'test')`);
  await scene.query(`INSERT INTO connection (name, spec, updated_by) VALUES ('one', '${spec}', 'test')`);
  await scene.query(`INSERT INTO template (name, state, current_version) VALUES ('one', 'published', 2)`);
  for (const [version, owner] of [
    [1, 'platform'],
    [2, 'support'],
  ] as const)
    await scene.query(
      `INSERT INTO template_version (name, version, spec, digest, author, publisher)
       VALUES ('one', ${String(version)}, jsonb_build_object('owner', '${owner}'), '', '', '')`,
    );
});
afterAll(() => scene.stop());

const write = (kind: string, owner: string, name = 'one', more: JsonObject = {}) =>
  inTransaction(pool, (client) => refuseOwnerEscape(client, [{ kind, name, spec: { owner, ...more } }]));

describe.each(['Agent', 'Connection', 'TaskTemplate'])('a write of %s', (kind) => {
  it('a document is kept in the lockdown of its owner', async () => {
    await write(kind, 'platform');
    await scene.lockDown({ kind: 'owner', name: 'support' });
    await expect(write(kind, 'platform')).rejects.toMatchObject({
      ...{ code: 'policy_denied', extensions: { control: 'lockdown' } },
    });
    await write(kind, 'support', 'one', { description: 'another text' });
    await write(kind, 'platform', 'new');
  });

  it('a document is free under the lockdown of another owner, and of another kind', async () => {
    await scene.lockDown({ kind: 'owner', name: 'platform' });
    await scene.lockDown({ kind: 'agent', name: 'support' });
    await write(kind, 'platform');
  });
});
