import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { newId } from '@mayfly/kernel';
import { bareEntry, startTestPostgres, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { AuditSealer } from '../audit/audit-sealer.js';
import { AuditReader } from '../audit/audit.reader.js';
import { proveHistoryKept } from './history-proof.js';
import { applyMigrations } from './migrations.js';
import { grantRuntimeRole } from './runtime-role.js';

const MIGRATIONS = fileURLToPath(new URL('../../../../prisma/migrations', import.meta.url));
const PARTITIONS = '20261130000100_audit_partitions';

let directory: string;
let database: TestDatabase;
let owner: pg.Client;
let pool: pg.Pool;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mayfly-upgrade-'));
  for (const name of readdirSync(MIGRATIONS).filter((one) => one < PARTITIONS))
    cpSync(join(MIGRATIONS, name), join(directory, name), { recursive: true });
  database = await (await startTestPostgres()).createDatabase();
  owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  await applyMigrations(owner, directory);
  await owner.query('GRANT SELECT, INSERT ON audit_entry TO mayfly_app');
  pool = new pg.Pool({ connectionString: database.adminUrl, max: 2 });
});

afterEach(async () => {
  await Promise.all([owner.end(), pool.end()]);
  await database.drop();
  rmSync(directory, { recursive: true });
});

const task = newId('tsk');
const write = (...numbers: number[]) =>
  insertAudit(
    pool,
    numbers.map((n) => bareEntry('task.renewed', new Date(n), MAYFLY, { taskId: task }, { n })),
  );

async function upgrade(): Promise<void> {
  await applyMigrations(owner, MIGRATIONS);
  await grantRuntimeRole(owner, 'mayfly_app');
}

async function valuesOf(statement: string): Promise<unknown[]> {
  const { rows } = await owner.query<unknown[]>({ text: statement, rowMode: 'array' });
  return rows.map(([value]) => value);
}

const bounds = () =>
  valuesOf(`SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_entry'::regclass ORDER BY c.relname`);

describe('the upgrade to a partitioned audit', () => {
  it('the upgrade to a partitioned audit makes the table the first partition, without a copy of its rows or indexes', async () => {
    await write(1, 2);
    await new AuditSealer(pool).seal();
    await write(3);
    const files = (table: string) =>
      valuesOf(`SELECT pg_relation_filenode(oid) FROM pg_class WHERE oid = '${table}'::regclass
        UNION ALL SELECT pg_relation_filenode(indexrelid) FROM pg_index WHERE indrelid = '${table}'::regclass ORDER BY 1`);
    const before = await files('audit_entry');
    await upgrade();
    expect(await files('audit_entry_first')).toEqual(before);
    await write(4);
    expect(await new AuditSealer(pool).seal()).toBe(2);
    const { items } = await new AuditReader(pool).story(task, { limit: 10 });
    expect(items.map(({ seq, body }) => [seq, (JSON.parse(body) as { n: number }).n])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ]);
    expect(await bounds()).toEqual([
      "audit_entry_1 FOR VALUES FROM ('50000000') TO ('100000000')",
      "audit_entry_2 FOR VALUES FROM ('100000000') TO ('150000000')",
      'audit_entry_default DEFAULT',
      "audit_entry_first FOR VALUES FROM (MINVALUE) TO ('50000000')",
    ]);
  });

  it('the upgrade to a partitioned audit ends the first partition after the last batch, however high its number', async () => {
    await owner.query(`SELECT setval('audit_batch', 199999999)`);
    await write(1);
    await upgrade();
    await write(2);
    expect(await valuesOf('SELECT DISTINCT tableoid::regclass::text FROM audit_entry')).toEqual(['audit_entry_first']);
    expect(await bounds()).toEqual([
      "audit_entry_5 FOR VALUES FROM ('250000000') TO ('300000000')",
      "audit_entry_6 FOR VALUES FROM ('300000000') TO ('350000000')",
      'audit_entry_default DEFAULT',
      "audit_entry_first FOR VALUES FROM (MINVALUE) TO ('250000000')",
    ]);
  });

  it('the upgrade to a partitioned audit keeps history, and leaves the serving role no right to write to the first partition', async () => {
    await write(1);
    await upgrade();
    await proveHistoryKept(owner);
    const service = new pg.Client({ connectionString: database.url });
    await service.connect();
    await proveHistoryKept(service);
    const insert = (table: string) =>
      service.query(`INSERT INTO public.${table} (batch, place, id, at, type, body) VALUES (-1, 0, '', now(), '', '')`);
    await expect(insert('audit_entry_first')).rejects.toMatchObject({ code: '42501' });
    await insert('audit_entry');
    await service.end();
  });

  it('the upgrade to a partitioned audit works for an owner that is no superuser', async () => {
    await owner.query(`CREATE ROLE plain_owner; GRANT plain_owner TO postgres`).catch(() => undefined);
    await owner.query(`GRANT CREATE, USAGE ON SCHEMA public TO plain_owner`);
    await owner.query(`DO $$ DECLARE o record; BEGIN
      FOR o IN SELECT oid::regclass AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO plain_owner', o.name); END LOOP;
      FOR o IN SELECT oid::regclass AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'a') LOOP
        EXECUTE format('ALTER SEQUENCE %s OWNER TO plain_owner', o.name); END LOOP;
      FOR o IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO plain_owner', o.name); END LOOP;
    END $$`);
    await write(1);
    await owner.query('SET ROLE plain_owner');
    await upgrade();
    await owner.query('RESET ROLE');
    await owner.query(`SELECT setval('audit_batch', 50000000)`);
    const service = new pg.Client({ connectionString: database.url });
    await service.connect();
    expect((await service.query('SELECT public.prepare_audit_partitions() AS made')).rows).toEqual([{ made: 1 }]);
    await service.end();
    expect(
      await valuesOf(`SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname LIKE 'audit_entry%'`),
    ).toEqual(['plain_owner']);
    await owner.query('DROP OWNED BY plain_owner CASCADE; DROP ROLE plain_owner');
  });
});
