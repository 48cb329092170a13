import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openSession, rows } from '../contract/sql.js';
import { vaultServers } from '../contract/vault-server.js';
import { DATABASE_CONNECTION, VaultTarget } from '../contract/vault-target.js';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { yamlOf } from '../support/declared.js';
import { until } from '../support/until.js';
import { trustBroker, vaultConnections, warehouseTemplate } from '../support/vault-documents.js';

interface Lease {
  readonly state: string;
  readonly revocation: string;
  readonly revocationNote?: string;
  readonly secret: { readonly username: string; readonly password: string };
}

describe.each(vaultServers())('Vault secrets through the whole service, on %s', (_, startServer) => {
  let target: VaultTarget;
  let broker: TestBroker;

  beforeAll(async () => {
    target = await VaultTarget.open(startServer);
    const { documents, environment } = vaultConnections(target);
    const templates = [
      warehouseTemplate('warehouse-read', 'reader', { endSessions: DATABASE_CONNECTION }),
      warehouseTemplate('warehouse-plain', 'reader'),
    ];
    broker = await startTestBroker({ documents: yamlOf(...documents, ...templates), environment });
    await trustBroker(target, broker);
  });
  afterAll(async () => {
    await broker.stop();
    await target.close();
  });

  const send = (route: string, body?: unknown): Promise<TestAnswer> =>
    broker.send(route, { token: broker.agentToken('support-agent'), body });
  const ask = async (template: string, more: object = {}) => {
    const answer = await send('POST /tasks', { template, parameters: {}, purpose: 'fill the warehouse', ...more });
    expect(answer).toMatchObject({ status: 201 });
    return taskIn(answer);
  };
  const taskIn = ({ body }: TestAnswer) => ({
    id: body.id as string,
    lease: (body.credentials as unknown as Lease[])[0]!,
  });
  const loginOf = ({ secret }: Lease): string => {
    const url = new URL(target.crm.loginUrl);
    url.username = secret.username;
    url.password = secret.password;
    return url.href;
  };

  it('the service tries the connection: logs in by its own identity token and finds every right', async () => {
    const tested = await broker.send('POST /connections/vault-main/test', { token: broker.personToken('platform') });
    expect(tested.body).toMatchObject({ ok: true, loginAgeSeconds: expect.any(Number) });
  });

  it('the service grants a database user, and ends it, its sessions, its lease and its token with the task', async () => {
    const { id, lease } = await ask('warehouse-read');
    expect(lease).toMatchObject({ state: 'active', revocation: 'immediate' });
    const url = loginOf(lease);
    expect(await rows(url, 'SELECT id FROM emea.customers')).toEqual([{ id: 1 }]);
    const { ended } = await openSession(url);
    const completed = await send(`POST /tasks/${id}/complete`);
    expect(completed.body).toMatchObject({ state: 'completed', credentials: [{ state: 'revoked' }] });
    expect(await ended).toBeInstanceOf(Error);
    await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(await target.users()).not.toContain(lease.secret.username);
  });

  it('the service says of a secret whose open sessions nobody ends that it is propagating, and why', async () => {
    const { id, lease } = await ask('warehouse-plain');
    expect(lease).toMatchObject({ revocation: 'propagating', revocationNote: expect.stringContaining('session') });
    expect((await send(`POST /tasks/${id}/complete`)).body).toMatchObject({ credentials: [{ state: 'revoked' }] });
  });

  it('the service renews a secret in place, and takes it back at the new deadline', async () => {
    const { id, lease } = await ask('warehouse-read', { ttlSeconds: 6 });
    const renewed = await send(`POST /tasks/${id}/renew`, { ttlSeconds: 9 });
    expect(renewed.status).toBe(200);
    expect(taskIn(renewed).lease.secret).toBeUndefined();
    const url = loginOf(lease);
    expect(await rows(url, 'SELECT id FROM emea.customers')).toHaveLength(1);
    await until('it has expired', 30, async () => (await send(`GET /tasks/${id}`)).body.state === 'expired');
    await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('the token of each lease names lease and task in its metadata, and the lease in its display name, as the log of the server shows them', async () => {
    const { id } = await ask('warehouse-read');
    const { body: list } = await target.root('GET', 'auth/token/accessors?list=true');
    const accessors = (list as { data: { keys: string[] } }).data.keys;
    const tokens = await Promise.all(
      accessors.map(async (accessor) => {
        const { body } = await target.root('POST', 'auth/token/lookup-accessor', { accessor });
        return (body as { data?: { display_name: string; meta: Record<string, string> | null } }).data;
      }),
    );
    const token = tokens.find((one) => one?.meta?.task === id);
    expect(token?.meta).toMatchObject({ task: id, agent: 'support-agent', template: 'warehouse-read' });
    for (const seenAs of [token!.meta!.lease!, token!.display_name, `v-${token!.display_name}-reader`]) {
      const route = `GET /issuances?seenAs=${seenAs}`;
      const { body } = await broker.send(route, { token: broker.personToken('auditor') });
      expect(body.items).toMatchObject([{ taskId: id }]);
    }
    await send(`POST /tasks/${id}/complete`);
  });

  it('the service warns at publication of a role whose statements end no session', async () => {
    const document = warehouseTemplate('warehouse-linted', 'reader');
    const linted = await broker.send('POST /templates/lint', { token: broker.personToken('platform'), body: document });
    const warnings = (linted.body.findings as { rule: string; detail: string }[]).filter(
      ({ rule }) => rule === 'MF310',
    );
    expect(warnings.map(({ detail }) => detail).join()).toMatch(/session/);
  });

  it.each([
    ['a path that leaves its place', '../sys/leases'],
    ['the system', 'sys/leases/lookup'],
    ['a login', 'auth/token/create'],
    ['a wildcard', 'database/creds/*'],
    ['a query', 'database/creds/reader?list=true'],
  ])('the service refuses to publish %s', async (name, path) => {
    const document = warehouseTemplate('warehouse-hostile', 'reader', { path });
    const linted = await broker.send('POST /templates/lint', { token: broker.personToken('platform'), body: document });
    const errors = (linted.body.findings as { severity: string }[]).filter(({ severity }) => severity === 'error');
    expect([name, errors.length > 0]).toEqual([name, true]);
  });
});
