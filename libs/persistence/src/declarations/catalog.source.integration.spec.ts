import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { PgCatalogSource } from './catalog.source.js';
import { DeclaredRows } from './declared-rows.js';
import { Database } from '../database/database.js';

let testDatabase: TestDatabase;
let database: Database;
let admin: pg.Client;
beforeAll(async () => {
  testDatabase = await createMigratedDatabase();
  database = new Database({ url: testDatabase.url, onConnectionLost: () => undefined });
  admin = new pg.Client({ connectionString: testDatabase.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await database.close();
  await testDatabase.drop();
});

const GOOD = {
  issuer: {
    profile: 'oidc',
    issuer: 'https://ci.example',
    audiences: ['mayfly'],
    algorithms: ['ES256'],
    keys: { discovery: true },
  },
  agent: {
    owner: 'a',
    backupOwner: 'b',
    identities: [{ issuer: 'good', subject: 'one', runtime: 'laptop' }],
  },
  connection: { provider: 'postgres', owner: 'a', config: { url: 'env:CRM' } },
};

async function insert(table: keyof typeof GOOD, name: string, spec: unknown): Promise<void> {
  const [columns, values] = table === 'agent' ? [', id, state', `, 'agt_${name}', 'active'`] : ['', ''];
  await admin.query(
    `INSERT INTO ${table} (name, labels, spec, updated_by${columns}) VALUES ($1, '{}', $2, 'somebody'${values})`,
    [name, JSON.stringify(spec)],
  );
}

describe('the stored catalog', () => {
  it('the stored catalog leaves out each row that does not parse, tells of it once, and keeps all others in force', async () => {
    for (const [table, spec] of Object.entries(GOOD)) {
      await insert(table as keyof typeof GOOD, 'good', spec);
      await insert(table as keyof typeof GOOD, 'bad', { ...spec, owner: { canary: true }, audiences: 7 });
    }
    const reported: unknown[] = [];
    const source = new PgCatalogSource(new DeclaredRows(database.pool), (error) => reported.push(error));
    for (let round = 0; round < 2; round += 1) {
      const { issuers, agents, connections } = await source.load(false);
      for (const rows of [issuers, agents, connections]) expect(rows.map(({ name }) => name)).toEqual(['good']);
    }
    const details = reported.map((error) => (error as Error).message);
    expect(details).toHaveLength(3);
    for (const kind of ['issuer', 'agent', 'connection'])
      expect(details).toContainEqual(expect.stringMatching(`stored ${kind} .bad. is invalid at `));
    expect(details.join()).not.toContain('canary');
  });

  it('the stored catalog keeps a policy that does not parse, without its spec, because nothing else would deny', async () => {
    const spec = { owner: 'security', policies: { all: 'permit(principal, action, resource);' } };
    await admin.query(
      `INSERT INTO policy (name, spec, updated_by) VALUES ('good', $1, 'a'), ('bad', '{"owner": "canary!"}', 'a')`,
      [JSON.stringify(spec)],
    );
    const reported: unknown[] = [];
    const source = new PgCatalogSource(new DeclaredRows(database.pool), (error) => reported.push(error));
    const { policies } = await source.load(false);
    expect(policies.toSorted((one, other) => (one.name < other.name ? -1 : 1))).toEqual([
      { name: 'bad', spec: undefined },
      { name: 'good', spec },
    ]);
    const again = await source.load(false);
    expect(again.policies.find(({ name }) => name === 'good')).toBe(policies.find(({ name }) => name === 'good'));
    expect(reported.map(String).filter((text) => text.includes('policy `bad`'))).toHaveLength(1);
    expect(reported.map(String).join()).not.toContain('canary');
  });

  it('the stored catalog has a row in force again once it is mended', async () => {
    await admin.query(`UPDATE agent SET spec = $1 WHERE name = 'bad'`, [JSON.stringify(GOOD.agent)]);
    const { agents } = await new PgCatalogSource(new DeclaredRows(database.pool), () => undefined).load(false);
    expect(agents.map(({ name }) => name).toSorted()).toEqual(['bad', 'good']);
  });
});
