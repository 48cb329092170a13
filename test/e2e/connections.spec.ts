import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { connectionDocument } from '../support/declared.js';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker({ environment: { DEAD_DATABASE_URL: 'postgresql://nobody:secret@127.0.0.1:1/none' } });
});
afterAll(() => broker.stop());

const asPlatform = (route: string, body?: unknown, headers: Record<string, string> = {}): Promise<TestAnswer> =>
  broker.send(route, { token: broker.personToken('platform'), body, headers });
const ask = (): Promise<TestAnswer> =>
  broker.send('POST /tasks', {
    token: broker.agentToken('support-agent'),
    body: { template: 'support-read-cases', parameters: { region: 'emea' }, purpose: 'answer ticket 4711' },
  });
const complete = ({ body }: TestAnswer): Promise<TestAnswer> =>
  broker.send(`POST /tasks/${body.id as string}/complete`, { token: broker.agentToken('support-agent') });
const auditTypes = async (): Promise<unknown[]> => {
  const { rows } = await broker.broker.services.database.pool.query<{ type: string; body: string }>(
    `SELECT type, body FROM public.audit_entry WHERE type LIKE 'connection.%' ORDER BY batch, place`,
  );
  return rows.map(({ type, body }) => [type, (JSON.parse(body) as JsonObject).name]);
};

describe('POST /connections/:name/test', () => {
  it('POST /connections/:name/test says what works, how far the clocks are apart, and writes down that it was asked', async () => {
    const { status, body } = await asPlatform('POST /connections/crm/test');
    expect(status).toBe(200);
    expect(body).toMatchObject({ connection: 'crm', ok: true, clockOffsetSeconds: expect.any(Number) });
    const names = (body.checks as JsonObject[]).map(({ name, outcome }) => [name, outcome]);
    expect(names).toContainEqual(['log in', 'ok']);
    expect(names).toContainEqual(['CREATEROLE', 'ok']);
    expect(await auditTypes()).toContainEqual(['connection.tested', 'crm']);
  });

  it('POST /connections/:name/test answers for a connection without a target as well', async () => {
    expect((await asPlatform('POST /connections/cases-api/test')).body).toMatchObject({ ok: true });
  });

  it.each([
    ['a secret that is not there', 'env:NOBODY_SET_THIS', 'read the configuration and its secrets'],
    ['a target that does not answer', 'env:DEAD_DATABASE_URL', 'log in'],
  ])('the test of a connection reports %s without failing itself', async (name, url, check) => {
    const declared = connectionDocument(`broken-${url.length.toString()}`, { config: { url } });
    expect((await asPlatform('POST /connections', declared)).status).toBe(201);
    const tested = await asPlatform(`POST /connections/broken-${url.length.toString()}/test`);
    expect(tested).toMatchObject({ status: 200, body: { ok: false, checks: [{ name: check, outcome: 'failed' }] } });
    expect(name).not.toBe('');
  });

  it('the test of a connection is for platform teams and operators, and answers 404 for an unknown name', async () => {
    expect((await asPlatform('POST /connections/nobody/test')).status).toBe(404);
    const auditor = { token: broker.personToken('auditor') };
    expect((await broker.send('POST /connections/crm/test', auditor)).status).toBe(403);
    const agent = { token: broker.agentToken('support-agent') };
    expect((await broker.send('POST /connections/crm/disable', agent)).status).toBe(403);
  });
});

describe('a disabled connection', () => {
  it('a disabled connection mints and renews nothing, names the control in the audit, and still revokes its leases', async () => {
    const [running, ending] = [await ask(), await ask()];
    expect([running.status, ending.status]).toEqual([201, 201]);
    const disabled = await asPlatform('POST /connections/crm/disable');
    expect(disabled).toMatchObject({ status: 200, body: { state: 'disabled' } });
    expect((await asPlatform('POST /connections/crm/disable')).body.revision).toBe(disabled.body.revision);

    const refused = await ask();
    expect(refused).toMatchObject({ status: 403, body: { control: 'connection-state', help: expect.any(String) } });
    const renewal = await broker.send(`POST /tasks/${running.body.id as string}/renew`, {
      token: broker.agentToken('support-agent'),
      body: {},
    });
    expect(renewal).toMatchObject({ status: 403, body: { control: 'connection-state' } });
    expect((await complete(ending)).body).toMatchObject({
      state: 'completed',
      credentials: [{ state: 'revoked' }, { state: 'revoked' }],
    });

    const enabled = await asPlatform('POST /connections/crm/enable');
    expect(enabled).toMatchObject({ status: 200, body: { state: 'enabled' } });
    expect((await complete(running)).body.state).toBe('completed');
    expect(await complete(await ask())).toMatchObject({ status: 200 });
    const entries = await auditTypes();
    expect(entries).toContainEqual(['connection.disabled', 'crm']);
    expect(entries).toContainEqual(['connection.enabled', 'crm']);
  });

  it('a disabled connection stays disabled when its document is replaced', async () => {
    await asPlatform('POST /connections', connectionDocument('replaced'));
    await asPlatform('POST /connections/replaced/disable');
    const changed = connectionDocument('replaced', { owner: 'somebody-else' });
    const { headers } = await asPlatform('GET /connections/replaced');
    const put = await asPlatform('PUT /connections/replaced', changed, { 'if-match': headers.get('etag') ?? '' });
    expect(put).toMatchObject({ status: 200, body: { state: 'disabled', spec: { owner: 'somebody-else' } } });
  });

  it('a disabled connection cannot be deleted while leases live', async () => {
    const task = await ask();
    const { headers } = await asPlatform('GET /connections/crm');
    const refused = await asPlatform('DELETE /connections/crm', undefined, { 'if-match': headers.get('etag') ?? '' });
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining('live leases') } });
    await complete(task);
  });
});
