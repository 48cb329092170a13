import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { startTestPostgres, taskIntent, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { PgClosingStore } from '../tasks/closing.store.js';
import { PgIssuanceStore } from '../tasks/issuance.store.js';
import { TaskEndings } from '../tasks/task-endings.js';
import { applyMigrations } from './migrations.js';
import { grantRuntimeRole } from './runtime-role.js';

const MIGRATIONS = fileURLToPath(new URL('../../../../prisma/migrations', import.meta.url));
const LOCKDOWNS = '20261130000300_lockdowns';
const clock = { now: () => new Date() };

let directory: string;
let database: TestDatabase;
let owner: pg.Client;
let pool: pg.Pool;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mayfly-upgrade-'));
  for (const name of readdirSync(MIGRATIONS).filter((one) => one < LOCKDOWNS))
    cpSync(join(MIGRATIONS, name), join(directory, name), { recursive: true });
  database = await (await startTestPostgres()).createDatabase();
  owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  await applyMigrations(owner, directory);
  pool = new pg.Pool({ connectionString: database.adminUrl, max: 4 });
});

afterEach(async () => {
  await Promise.all([owner.end(), pool.end()]);
  await database.drop();
  rmSync(directory, { recursive: true });
});

describe('the upgrade to lockdowns', () => {
  it('the upgrade to lockdowns continues the endings of suspended agents from the start, whatever their position', async () => {
    const [one, other] = [taskIntent(clock, { leaseState: 'active' }), taskIntent(clock, { leaseState: 'active' })];
    await owner.query(
      `INSERT INTO agent (id, name, spec, state, updated_by) VALUES ('${one.task.agent.id}', 'support-agent', '{}', 'active', 'test');
       INSERT INTO template (name, state, current_version) VALUES ('read-cases', 'published', 1)`,
    );
    const store = new PgIssuanceStore(pool);
    expect(await Promise.all([store.open(one), store.open(other)])).toEqual(['opened', 'opened']);
    await owner.query(`UPDATE agent SET state = 'suspended'`);
    await owner.query(`INSERT INTO agent_ending VALUES ($1, 'agent_suspended', $2, $3)`, [
      ...[one.task.agent.id, JSON.stringify(MAYFLY), one.task.id],
    ]);

    await applyMigrations(owner, MIGRATIONS);
    await grantRuntimeRole(owner, 'mayfly_app');

    const endings = new TaskEndings(pool, new PgClosingStore(pool, clock));
    while (await endings.round());
    const { rows } = await owner.query(`SELECT end_cause, lockdown_id FROM task`);
    expect(rows).toEqual(Array(2).fill({ end_cause: 'agent_suspended', lockdown_id: null }));
    expect(await store.open(taskIntent(clock, { agentId: one.task.agent.id }))).toBe('agent');
    expect((await owner.query('SELECT FROM task_ending')).rowCount).toBe(0);
  });
});
