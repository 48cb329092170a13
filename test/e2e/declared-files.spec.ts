import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestPostgres } from '@mayfly/testing';
import { newTestIssuers, startTestBroker, type TestBroker, type TestBrokerOptions } from '../support/broker.js';
import {
  agentDocument,
  connectionDocument,
  databaseCredential,
  identityOf,
  templateDocument,
  yamlOf,
} from '../support/declared.js';
import { rowsOf } from '../support/rows.js';

let broker: TestBroker;
let platform: string;
beforeAll(async () => {
  broker = await startTestBroker({ documents: yamlOf(agentDocument('first'), templateDocument('read')) });
  platform = broker.personToken('platform');
});
afterAll(() => broker.stop());

/** Starts a replica with these documents and stops it again. */
async function startOnce(options: TestBrokerOptions): Promise<void> {
  const replica = await startTestBroker({ beside: broker, ...options });
  await replica.stop();
}

async function get(path: string) {
  return (await broker.send(`GET ${path}`, { token: platform })).body;
}

async function declaredNow(): Promise<string> {
  const lists = await Promise.all(['/issuers', '/connections', '/agents', '/templates'].map(get));
  return JSON.stringify(lists);
}

describe('declared state in files', () => {
  it('declared state in files is in force once the service answers', async () => {
    expect(await get('/agents/first')).toMatchObject({ state: 'active', revision: 1 });
    expect(await get('/templates/read')).toMatchObject({ state: 'published', inForce: { version: 1 } });
    const task = { template: 'read', purpose: 'answer a ticket' };
    const answer = await broker.send('POST /tasks', { token: broker.agentToken('first'), body: task });
    expect(answer).toMatchObject({ status: 201 });
  });

  it('declared state in files stops the start at an unknown key, by file, line and path', async () => {
    const documents = 'kind: Agent\nmetadata: { name: second }\nspec:\n  owner: a\n  backupOwnr: b\n  identities: []\n';
    await expect(startOnce({ documents })).rejects.toMatchObject({
      code: 'invalid_declaration',
      extensions: {
        errors: expect.arrayContaining([
          {
            pointer: '/spec/backupOwnr',
            detail: expect.stringMatching(
              /1-documents\.yaml:5: spec\.backupOwnr: unknown key; did you mean `backupOwner`\?$/,
            ),
          },
        ]),
      },
    });
  });

  it.each([
    [
      'a template of a connection that nobody declared',
      templateDocument('odd', { credentials: [databaseCredential('nowhere')] }),
    ],
    ['an identity that another agent has', agentDocument('odd', { identities: [identityOf('first')] })],
    ['a provider that the service does not have', connectionDocument('odd', { provider: 'oracle' })],
    [
      'a password that is written out',
      connectionDocument('odd', { config: { url: 'postgres://a:canary@db.example/x' } }),
    ],
  ])('declared state in files applies nothing when one document is wrong: %s', async (_, wrong) => {
    const before = await declaredNow();
    const start = startOnce({ documents: yamlOf(agentDocument('second'), connectionDocument('crm'), wrong) });
    await expect(start).rejects.toMatchObject({ code: 'invalid_declaration', detail: expect.stringContaining('/odd') });
    await expect(start).rejects.not.toMatchObject({ detail: expect.stringContaining('canary') });
    expect(await declaredNow()).toBe(before);
  });

  it('declared state in files stops the start when its directory is not there', async () => {
    const start = startOnce({ environment: { MAYFLY_CONFIG_DIR: '/nowhere' } });
    await expect(start).rejects.toThrow('MAYFLY_CONFIG_DIR');
  });

  it('declared state in files changes nothing when it says the same again', async () => {
    const before = await declaredNow();
    await startOnce({ documents: yamlOf(templateDocument('read'), agentDocument('first')) });
    expect(await declaredNow()).toBe(before);
  });

  it('declared state in files publishes the next version of a template that changed, and keeps the state of agents', async () => {
    await broker.send('POST /agents/first/suspend', { token: platform });
    const changed = templateDocument('read', { description: 'Read cases, slowly.' });
    const documents = yamlOf(agentDocument('first', { owner: 'sales' }), changed);
    await startOnce({ documents });
    expect(await get('/agents/first')).toMatchObject({ state: 'suspended', revision: 3, spec: { owner: 'sales' } });
    expect(await get('/templates/read')).toMatchObject({ inForce: { version: 2 } });
    expect(await get('/templates/read/versions/1')).toMatchObject({ spec: { description: 'Read cases.' } });
  });

  it('declared state in files does not bring a retired template back', async () => {
    await broker.send('POST /templates/read/retire', { token: platform });
    await startOnce({ documents: yamlOf(templateDocument('read', { description: 'Again.' })) });
    expect(await get('/templates/read')).toMatchObject({ state: 'retired', inForce: null });
  });

  it('the audit of applied files has their places, never their values', async () => {
    const entries = await rowsOf<{ type: string; body: string }>(
      broker.database.adminUrl,
      `SELECT type, body FROM audit_entry WHERE type IN ('declaration.changed', 'template.published') ORDER BY id`,
    );
    const updates = entries.filter(({ body }) => body.includes('"change":"update"'));
    expect(updates.map(({ type, body }) => [type, JSON.parse(body) as unknown])).toEqual([
      ['declaration.changed', expect.objectContaining({ kind: 'Agent', name: 'first', changed: ['/spec/owner'] })],
      ['template.published', expect.objectContaining({ name: 'read', version: 2, changed: ['/spec/description'] })],
    ]);
    expect(entries.map(({ body }) => body).join()).not.toMatch(/slowly|sales/);
  });
});

describe('two replicas that start at once on an empty database', () => {
  it('two replicas that start at once on an empty database both come up, and declare everything once', async () => {
    const postgres = await startTestPostgres();
    const shared = { database: await postgres.createDatabase(), issuers: newTestIssuers() };
    const documents = yamlOf(agentDocument('first'), templateDocument('read'));
    const replicas = await Promise.all([1, 2].map(() => startTestBroker({ beside: shared, documents })));
    for (const replica of replicas) {
      const token = replica.agentToken('first');
      const body = { template: 'read', purpose: 'answer a ticket' };
      expect(await replica.send('POST /tasks', { token, body })).toMatchObject({ status: 201 });
    }
    const written = await rowsOf(
      shared.database.adminUrl,
      `SELECT type, count(*)::int FROM audit_entry WHERE type IN ('declaration.changed', 'template.published')
       GROUP BY type ORDER BY type`,
    );
    expect(written).toEqual([
      { type: 'declaration.changed', count: 3 },
      { type: 'template.published', count: 1 },
    ]);
    for (const replica of replicas) await replica.stop();
    await shared.database.drop();
  });
});
