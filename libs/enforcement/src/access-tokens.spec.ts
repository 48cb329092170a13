import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Principal } from '@mayfly/identity';
import { type JsonObject, newId, Problem } from '@mayfly/kernel';
import type { EndRequest } from '@mayfly/tasks';
import { FakeSigningKeyStore, introspectableProviders, TestClock } from '@mayfly/testing';
import { KeyRing, Sealer, TokenSigner, TokenVerifier } from '@mayfly/trust';
import { AccessTokens } from './access-tokens.js';
import { ResourceServers } from './resource-servers.js';

const ISSUER = 'https://mayfly.example';
const AUDIENCE = 'https://cases.example';

const clock = new TestClock();
const ring = new KeyRing(new FakeSigningKeyStore(), new Sealer({ current: randomBytes(32).toString('hex') }), clock);
const signer = new TokenSigner(ring, clock);
const connections = [
  {
    name: 'cases',
    spec: {
      provider: 'signed-token',
      owner: 'crm',
      config: { audience: AUDIENCE, resourceServers: [{ issuer: 'ci', subject: 'cases-api' }] },
    },
  },
];

// The state of the fakes, and the calls that they got.
let live: Set<string>;
let databaseIsDown: boolean;
let ended: EndRequest[];
let refused: Principal[];
let usesLeft: number;
let consumed: unknown[];
let service: AccessTokens;

const agentId = newId('agt');
let claims: JsonObject & { exp: number; jti: string };

function principal(kind: Principal['kind'], member: object): Principal {
  return {
    kind,
    identity: { issuer: 'ci', acceptedBy: ['ci'], subject: 'someone' },
    ...member,
  } as unknown as Principal;
}
const owner = principal('agent', { agent: { id: agentId, name: 'support-agent' }, runtime: 'ci' });
const otherAgent = principal('agent', { agent: { id: newId('agt'), name: 'code-agent' }, runtime: 'ci' });
const server = principal('workload', { identity: { issuer: 'ci', acceptedBy: ['ci'], subject: 'cases-api' } });
const stranger = principal('workload', {});
const person = (...roles: string[]) => principal('person', { roles });

beforeEach(async () => {
  await ring.rotateIfDue();
  [live, databaseIsDown, ended, refused] = [new Set(), false, [], []];
  [usesLeft, consumed] = [1, []];
  const now = Math.floor(clock.now().getTime() / 1000);
  claims = {
    ...{ iss: ISSUER, sub: agentId, client_id: agentId, aud: AUDIENCE, iat: now, exp: now + 60, jti: newId('lse') },
    ...{ scope: 'cases.read', task_id: newId('tsk'), template: { name: 'support', version: 1 } },
    authorization_details: [{ type: 'mayfly_operations', actions: ['cases.read'], locations: [AUDIENCE] }],
  };
  live.add(claims.jti);
  service = new AccessTokens({
    issuer: ISSUER,
    verifier: new TokenVerifier(ring, clock),
    leases: {
      isLive: async (leaseId) => {
        if (databaseIsDown) throw new Problem('unavailable', 'the database does not answer');
        return live.has(leaseId);
      },
    },
    resourceServers: new ResourceServers({ connections }, introspectableProviders()),
    ending: { end: async (request) => void ended.push(request) },
    refusals: { forbidden: async (caller) => void refused.push(caller) },
    operations: {
      consume: async (caller, token, audience) => usesLeft > 0 && consumed.push([caller, token, audience]) > 0,
    },
  });
});

const token = () => signer.sign('at+jwt', claims);

describe('introspection', () => {
  it.each([
    ['a resource server of its audience', server],
    ['the agent that it was issued to', owner],
    ['an operator', person('operator')],
    ['an auditor', person('platform', 'auditor')],
  ])('introspection shows %s the claims of a living token, and no more', async (_, caller) => {
    const { template, ...expected } = claims;
    expect(template).toBeDefined();
    expect(await service.introspect(caller, await token())).toEqual({
      active: true,
      token_type: 'Bearer',
      ...expected,
    });
  });

  it.each([
    ['another agent', otherAgent],
    ['a workload that is no resource server', stranger],
    ['a person of another role', person('platform', 'approver')],
    ['a person without a role', person()],
  ])('introspection shows %s nothing', async (_, caller) => {
    expect(await service.introspect(caller, await token())).toEqual({ active: false });
  });

  it('introspection tells a resource server nothing of the tokens of another audience', async () => {
    claims = { ...claims, aud: 'https://mail.example' };
    expect(await service.introspect(server, await token())).toEqual({ active: false });
  });

  it('introspection says that a token is dead once its lease is not live, whatever its own expiry says', async () => {
    live.clear();
    expect(await service.introspect(server, await token())).toEqual({ active: false });
  });

  it('introspection says that a token is dead at its own expiry, whatever its lease says', async () => {
    const last = await token();
    clock.advance(61);
    expect(await service.introspect(server, last)).toEqual({ active: false });
  });

  it.each([
    ['of another type', () => signer.sign('JWT', claims)],
    ['of another issuer', () => signer.sign('at+jwt', { ...claims, iss: 'https://evil.example' })],
    ['without a lease', () => signer.sign('at+jwt', { ...claims, jti: 'x' })],
    ['with another signature', async () => `${(await token()).slice(0, -4)}AAAA`],
    ['that is no token', async () => 'x'],
  ])('introspection says that a token is dead: one %s', async (_, make) => {
    live.add('x');
    expect(await service.introspect(person('operator'), await make())).toEqual({ active: false });
  });

  it('introspection rejects when the lease cannot be read', async () => {
    databaseIsDown = true;
    await expect(service.introspect(server, await token())).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('introspection that consumes', () => {
  it('introspection takes no use unless the caller asks for it, and one for a resource server that does', async () => {
    const shown = await token();
    await service.introspect(server, shown);
    expect(consumed).toEqual([]);
    expect(await service.introspect(server, shown, true)).toMatchObject({ active: true });
    expect(consumed).toEqual([[server, shown, AUDIENCE]]);
  });

  it('introspection says that a token is inactive when its use is refused', async () => {
    usesLeft = 0;
    expect(await service.introspect(server, await token(), true)).toEqual({ active: false });
  });

  it.each([
    ['the agent of the token', owner],
    ['an operator', person('operator')],
  ])('introspection takes no use for %s, and shows nothing', async (_, caller) => {
    expect(await service.introspect(caller, await token(), true)).toEqual({ active: false });
    expect(consumed).toEqual([]);
  });

  it('introspection takes no use of a token that is dead', async () => {
    live.clear();
    expect(await service.introspect(server, await token(), true)).toEqual({ active: false });
    expect(consumed).toEqual([]);
  });
});

describe('revocation', () => {
  it.each([
    ['the agent that the token was issued to', owner, { kind: 'agent', name: 'support-agent', runtime: 'ci' }],
    ['an operator', person('operator'), { kind: 'person', issuer: 'ci', subject: 'someone' }],
  ])('the revocation of a token by %s ends the whole task', async (_, caller, actor) => {
    await service.revoke(caller, await token());
    expect(ended).toEqual([
      { taskId: claims.task_id, cause: 'revoked', reason: 'a token of the task was revoked', actor },
    ]);
  });

  it.each([
    ['another agent', otherAgent],
    ['the resource server', server],
    ['a workload that is no agent', stranger],
    ['an auditor', person('auditor')],
    ['a person without a role', person()],
  ])('the revocation of a token by %s changes nothing, gets the same answer, and is audited', async (_, caller) => {
    await expect(service.revoke(caller, await token())).resolves.toBeUndefined();
    expect(ended).toEqual([]);
    expect(refused).toEqual([caller]);
  });

  it('the revocation of an unknown token changes nothing', async () => {
    await expect(service.revoke(owner, 'x')).resolves.toBeUndefined();
    expect([ended, refused]).toEqual([[], []]);
  });
});
