import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { AnyProvider } from '@mayfly/credentials';
import { Declarations, parseDocument, type Declaration } from '@mayfly/declarations';
import { PublicEgress } from '@mayfly/egress';
import type { Json, Problem } from '@mayfly/kernel';
import { changeStoreSuite, createMigratedDatabase, declarationStoreSuite, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { z } from 'zod';
import { DeclaredRows } from './declared-rows.js';
import { PgDeclarationStore } from './declaration.store.js';

const BY = { name: 'somebody', actor: MAYFLY };
const clock = { now: () => new Date() };

const secretFault = () => undefined;

/** A provider with schemas and traits only; it cannot mint. */
const token = {
  kind: 'token',
  secretMembers: [],
  schemas: { config: z.strictObject({}), scope: z.looseObject({ audience: z.string() }), handle: z.never() },
  traits: { remote: false, revocation: 'propagating', minTtlSeconds: 1, maxTtlSeconds: 900 },
  connectionsOf: ({ endedBy }: { readonly endedBy?: string }) => (endedBy === undefined ? [] : [endedBy]),
} as unknown as AnyProvider;

let database: TestDatabase;
let admin: pg.Client;
let pool: pg.Pool;
beforeAll(async () => {
  database = await createMigratedDatabase();
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  pool = new pg.Pool({ connectionString: database.url, max: 6 });
});
beforeEach(async () => {
  await admin.query(`SET session_replication_role = replica;
    TRUNCATE issuer, agent, connection, policy, template_version, template, audit_entry, document_change; SET session_replication_role = DEFAULT`);
});
afterAll(async () => {
  await pool.end();
  await admin.end();
  await database.drop();
});

function replica(): Declarations {
  return new Declarations({
    store: new PgDeclarationStore(pool, new DeclaredRows(pool)),
    context: { providers: [token], egress: new PublicEgress(), secretFault },
    catalog: { refresh: () => Promise.resolve() },
    ...{ clock, rolesOverApi: true, report: () => undefined },
  });
}

function read(document: Json): Declaration {
  return parseDocument(document);
}

const issuer = read({
  kind: 'Issuer',
  metadata: { name: 'ci' },
  spec: {
    profile: 'oidc',
    issuer: 'https://ci.example',
    audiences: ['mayfly'],
    algorithms: ['ES256'],
    keys: { discovery: true },
  },
});

const agent = (name: string, owner = 'support') =>
  read({
    kind: 'Agent',
    metadata: { name },
    spec: { owner, backupOwner: 'crm', identities: [{ issuer: 'ci', subject: name, runtime: 'laptop' }] },
  });

const template = (name: string, audience = 'cases') =>
  read({
    kind: 'TaskTemplate',
    metadata: { name },
    spec: {
      ...{ description: 'Read cases.', owner: 'support', backupOwner: 'crm' },
      review: { by: 'security', everyDays: 90 },
      requesters: { agents: { duty: 'support' }, runtimes: ['laptop'] },
      parameters: { type: 'object', properties: {}, additionalProperties: false },
      lifetime: { defaultSeconds: 60, maxSeconds: 60 },
      quota: { tasksPerMinute: 1, concurrentTasks: 1 },
      credentials: [{ name: 'api', provider: 'token', scope: { audience } }],
    },
  });

async function counts(...tables: readonly string[]): Promise<number[]> {
  const text = tables.map((table) => `SELECT count(*)::int AS n FROM ${table}`).join(' UNION ALL ');
  return (await admin.query<{ n: number }>(text)).rows.map(({ n }) => n);
}

/** Resolves when some session of the service waits for a lock. */
async function untilBlocked(): Promise<void> {
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`;
  while ((await admin.query(waiting, [database.name])).rowCount === 0);
}

const make = () =>
  Promise.resolve({
    store: new PgDeclarationStore(pool, new DeclaredRows(pool)),
    countEntries: async () => (await counts('audit_entry'))[0] ?? 0,
  });

declarationStoreSuite(make);
changeStoreSuite(make);

describe('applying documents', () => {
  it('applying documents writes each of them once, with its audit entry, whichever replica comes first', async () => {
    const documents = [template('read'), agent('one'), issuer, agent('two')];
    const applied = await Promise.all(Array.from({ length: 5 }, () => replica().apply(documents, BY)));
    const written = applied.map(({ changes }) => changes.filter(({ change }) => change === 'create').length);
    expect(written.sort()).toEqual([0, 0, 0, 0, 4]);
    expect(await counts('issuer', 'agent', 'template_version', 'audit_entry')).toEqual([1, 2, 1, 4]);
  });

  it('applying documents writes nothing at all when the audit does not take its entries', async () => {
    await admin.query('REVOKE INSERT ON audit_entry FROM mayfly_app');
    try {
      const refused = replica().apply([issuer, agent('one'), template('read')], BY);
      await expect(refused).rejects.toMatchObject({ code: 'unavailable' });
    } finally {
      await admin.query('GRANT INSERT ON audit_entry TO mayfly_app');
    }
    expect(await counts('issuer', 'agent', 'template', 'template_version')).toEqual([0, 0, 0, 0]);
  });

  it('applying documents takes no labels and an empty set of them for the same', async () => {
    await replica().apply([issuer], BY);
    const labelled = { ...issuer, metadata: { name: 'ci', labels: {} } };
    expect((await replica().apply([labelled], BY)).changes).toMatchObject([{ change: 'unchanged' }]);
  });

  it('applying documents counts versions on, and leaves those that are there', async () => {
    await replica().apply([template('read')], BY);
    await replica().apply([template('read', 'mail')], BY);
    await replica().apply([template('read')], BY);
    const { rows } = await admin.query(
      `SELECT version, spec #>> '{credentials,0,scope,audience}' AS audience FROM template_version ORDER BY version`,
    );
    expect(rows).toEqual([
      { version: 1, audience: 'cases' },
      { version: 2, audience: 'mail' },
      { version: 3, audience: 'cases' },
    ]);
  });

  it('applying documents locks agents in the order in which requests do, so that neither waits for the other for ever', async () => {
    await replica().apply([issuer, agent('one'), agent('two')], BY);
    const { rows } = await admin.query<{ id: string; name: string }>('SELECT id, name FROM agent ORDER BY id');
    const [low, high] = rows;
    const request = await pool.connect();
    await request.query('BEGIN');
    await request.query('SELECT FROM agent WHERE id = $1 FOR SHARE', [low?.id]);
    const change = replica().apply([agent(high?.name ?? '', 'sales'), agent(low?.name ?? '', 'sales')], BY);
    await untilBlocked();
    await request.query('SELECT FROM agent WHERE id = $1 FOR SHARE', [high?.id]);
    await request.query('COMMIT');
    request.release();
    expect((await change).changes).toMatchObject([{ change: 'update' }, { change: 'update' }]);
  });
});

describe('writing one document', () => {
  it('writing one document lets one of two win who read the same revision', async () => {
    await replica().apply([issuer, agent('one')], BY);
    const mustBeFirst = { must: 'match', revisions: [1] } as const;
    const declared = ['sales', 'legal'].map((owner) => agent('one', owner) as unknown as Json);
    const writes = declared.map((document) => replica().put('Agent', 'one', document, mustBeFirst, BY));
    const outcomes = (await Promise.allSettled(writes)).map(({ status }) => status);
    expect(outcomes.sort()).toEqual(['fulfilled', 'rejected']);
    expect((await replica().find('Agent', 'one')).revision).toBe(2);
  });
});

describe('taking a connection away', () => {
  const crm = read({
    kind: 'Connection',
    metadata: { name: 'crm' },
    spec: { provider: 'token', owner: 'crm', config: {} },
  });
  const remove = () => replica().remove('Connection', 'crm', { must: 'match', revisions: 'any' }, BY);

  it('the deletion of a connection is refused while a template ends sessions by it', async () => {
    const ending = template('read');
    if (ending.kind !== 'TaskTemplate') throw new Error('no template');
    const [api] = ending.spec.credentials;
    const credentials = [{ ...api!, scope: { audience: 'cases', endedBy: 'crm' } }];
    await replica().apply([crm, { ...ending, spec: { ...ending.spec, credentials } }], BY);
    await expect(remove()).rejects.toMatchObject({ code: 'conflict', detail: expect.stringContaining('`read`') });
    await replica().apply([template('read')], BY);
    await remove();
  });

  it.each<[string, number, string, string]>([
    ['ends sessions by it', 1, 'token', '{"audience": "cases", "endedBy": "crm"}'],
    ['has its name for something else', 0, 'token', '{"audience": "crm"}'],
    ['names it in a scope that its provider does not take any more', 1, 'token', '{"endSessions": ["crm"]}'],
    ['names another one that begins alike', 0, 'token', '{"audience": "cases", "endedBy": "crm-2"}'],
    ['is of a provider that is gone and names it', 1, 'vault', '{"endSessions": "crm"}'],
  ])('the deletion of a connection counts a live lease that %s as %i', async (_, count, provider, scope) => {
    await replica().apply([crm], BY);
    await admin.query(`SET session_replication_role = replica;
      INSERT INTO lease (id, task_id, name, provider, connection, revocation, state, agent_name, template_name, scope,
        scope_digest, sealed_handle, created_at, mint_by, expires_at, due_at)
      VALUES ('lse_1', 'tsk_1', 'api', '${provider}', 'vault', 'immediate', 'active', 'a', 't', '${scope}', '', '',
        now(), now(), now(), now())`);
    const removed = remove().then(
      () => 0,
      (refusal: unknown) => Number(/by (\d+) live leases/.exec((refusal as Problem).detail)?.[1]),
    );
    expect(await removed).toBe(count);
    await admin.query(`DELETE FROM lease; SET session_replication_role = DEFAULT`);
    if (count > 0) await remove();
  });
});
