import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, templateDocument, yamlOf } from '../support/documents.js';
import { rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';

const documents = yamlOf(agentDocument('first'), templateDocument('read'));
let first: TestBroker;
beforeAll(async () => {
  first = await startTestBroker({ documents });
});
afterAll(() => first.stop());

const sql = (statement: string) => rowsOf(first.database.adminUrl, statement);
const start = () => startTestBroker({ documents, beside: first });

describe('a start on a database whose history is not protected', () => {
  it.each([
    ['audit_entry', 'audit_entry_append_only', 'UPDATE'],
    ['lease', 'lease_not_truncated', 'TRUNCATE'],
  ])(
    'a start on a database whose history is not protected is refused, and names the table: %s without %s',
    async (table, trigger, operation) => {
      await sql(`ALTER TABLE ${table} DISABLE TRIGGER ${trigger}`);
      await expect(start()).rejects.toMatchObject({
        code: 'invalid_declaration',
        detail: expect.stringContaining(`does not refuse ${operation} on the history table \`${table}\``) as unknown,
      });
      await sql(`ALTER TABLE ${table} ENABLE TRIGGER ${trigger}`);
      const second = await start();
      await second.stop();
    },
  );

  it('leaves no row of its attempts', async () => {
    for (const table of ['task', 'lease']) expect(await sql(`SELECT FROM ${table}`)).toEqual([]);
    expect(await sql(`SELECT FROM audit_entry WHERE type = 'probe'`)).toEqual([]);
    expect(await sql('SELECT FROM audit_seal WHERE first_seq < 1')).toEqual([]);
    expect(await sql(`SELECT FROM template WHERE name LIKE 'probe-%'`)).toEqual([]);
  });
});

describe('a start on a database whose batches come near the end of a range', () => {
  it('a start on a database whose batches come near the end of a range makes the partition after the next one, and proves it at the next start', async () => {
    await sql(`SELECT setval('audit_batch', 50000000)`);
    const second = await start();
    await until('the partition', 10, async () => {
      const [row] = await sql(`SELECT to_regclass('public.audit_entry_3') IS NOT NULL AS made`);
      return row!.made as boolean;
    });
    await second.stop();
    const alter = (word: string) => sql(`ALTER TABLE audit_entry_3 ${word} TRIGGER audit_entry_not_truncated`);
    await alter('DISABLE');
    await expect(start()).rejects.toMatchObject({
      detail: expect.stringContaining('does not refuse TRUNCATE on the history table `audit_entry_3`') as unknown,
    });
    await alter('ENABLE');
  });
});

describe('a start with one role for all, which owns the history', () => {
  it('a start with one role for all, which owns the history is refused when a trigger is missing, since nothing else refuses', async () => {
    const owned = await startTestBroker({ documents, environment: { MAYFLY_MIGRATION_URL: '' } });
    await rowsOf(owned.database.adminUrl, 'DROP TRIGGER audit_seal_append_only ON audit_seal');
    const again = startTestBroker({ documents, beside: owned, environment: { MAYFLY_MIGRATION_URL: '' } });
    await expect(again).rejects.toMatchObject({
      detail: expect.stringContaining('history table `audit_seal` to the role `mayfly_app`') as unknown,
    });
    await owned.stop();
  });
});

describe('a service without a queue', () => {
  it('a service without a queue writes no wake-up that nobody would take', async () => {
    const body = { template: 'read', purpose: 'be done' };
    const token = () => first.agentToken('first');
    const { status, body: task } = await first.send('POST /tasks', { token: token(), body });
    expect(status).toBe(201);
    expect(await first.send(`POST /tasks/${task.id as string}/complete`, { token: token() })).toMatchObject({
      status: 200,
    });
    expect(await sql('SELECT FROM outbox')).toEqual([]);
  });
});
