import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, issuerDocument, templateDocument, yamlOf } from '../support/declared.js';
import { startIdentityProvider, type IdentityProvider } from '../support/identity-provider.js';
import { rowsOf } from '../support/rows.js';

/** One provider, one URL: people with and without a role, and an agent that is known by its client. */
let provider: IdentityProvider;
let broker: TestBroker;

beforeAll(async () => {
  provider = await startIdentityProvider({
    resource: 'urn:mayfly',
    clients: ['agent-ed', 'console', 'nightly'],
    people: { alice: ['offline_access', 'mayfly-platform'], bob: ['offline_access'] },
  });
  broker = await startTestBroker({ documents: documents(provider.issuer) });
});
afterAll(async () => {
  await broker.stop();
  await provider.stop();
});

function documents(issuer: string): string {
  const acme = {
    issuer,
    audiences: ['urn:mayfly'],
    algorithms: ['RS256'],
    tokenTypes: ['jwt', 'at+jwt'],
    roles: { platform: { claim: '/realm_access/roles', values: ['mayfly-platform'] } },
  };
  const ed = { issuer: 'acme', runtime: 'developer-laptop', claims: { client_id: 'agent-ed' } };
  return yamlOf(
    issuerDocument('acme', acme),
    agentDocument('ed', { identities: [ed] }),
    templateDocument('read-cases'),
  );
}

const ask = (route: string, token: string, body?: JsonObject) =>
  broker.send(route, { token, body, headers: { 'idempotency-key': randomUUID() } });

describe('one issuer of people and agents', () => {
  it('one issuer of people and agents knows an agent by the client of its RFC 9068 access token', async () => {
    const token = await provider.clientToken('agent-ed');
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt' });
    expect(decodeJwt(token)).toMatchObject({ client_id: 'agent-ed', aud: 'urn:mayfly' });
    expect(await ask('GET /me', token)).toMatchObject({ status: 200, body: { identity: { issuer: 'acme' } } });
    const task = { template: 'read-cases', parameters: {}, purpose: 'answer ticket 4711' };
    expect(await ask('POST /tasks', token, task)).toMatchObject({ status: 201 });
    expect(await ask('GET /issuers', token)).toMatchObject({ status: 403 });
  });

  it('one issuer of people and agents knows a person by a role within a claim', async () => {
    const token = await provider.personToken('console', 'alice');
    expect(await ask('GET /issuers', token)).toMatchObject({ status: 200 });
    expect(await ask('GET /me', token)).toMatchObject({ status: 403 });
  });

  it.each([
    ['a person without a role', () => provider.personToken('console', 'bob')],
    ['a client that is no agent', () => provider.clientToken('nightly')],
  ])('one issuer of people and agents lets %s do nothing', async (_, tokenOf) => {
    const token = await tokenOf();
    expect(await ask('GET /issuers', token)).toMatchObject({ status: 403 });
    expect(await ask('POST /tasks', token, { template: 'read-cases', parameters: {} })).toMatchObject({ status: 403 });
  });

  it('one issuer of people and agents refuses a person with a role who logged in through the client of an agent, and says so in the audit', async () => {
    const token = await provider.personToken('agent-ed', 'alice');
    for (const route of ['GET /me', 'GET /issuers']) {
      const { status, body } = await ask(route, token);
      expect(status).toBe(403);
      expect(body).toMatchObject({ reason: 'person_and_agent', detail: expect.stringContaining('agent `ed`') });
    }
    const reasons = await rowsOf<{ body: string }>(
      broker.database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = 'identity.refused'`,
    );
    expect(reasons.map(({ body }) => JSON.parse(body) as JsonObject)).toContainEqual(
      expect.objectContaining({ reason: 'person_and_agent', route: 'GET /issuers' }),
    );
  });
});
