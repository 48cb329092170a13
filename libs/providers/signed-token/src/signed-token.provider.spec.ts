import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds, newId } from '@mayfly/kernel';
import { FakeSigningKeyStore } from '@mayfly/testing';
import { KeyRing, Sealer, TokenSigner } from '@mayfly/trust';
import fc from 'fast-check';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { checkSignedToken } from './signed-token.check.js';
import { SignedTokenProvider, type SignedTokenOrder } from './signed-token.provider.js';

const START = new Date('2030-01-01T00:00:00.500Z');
const ISSUER = 'https://mayfly.example';
const clock = { now: () => START };
const store = new FakeSigningKeyStore();
const ring = new KeyRing(store, new Sealer({ current: randomBytes(32).toString('hex') }), clock);
const provider = new SignedTokenProvider(new TokenSigner(ring, clock), ISSUER);
const signal = new AbortController().signal;

const order = (change: Partial<SignedTokenOrder> = {}): SignedTokenOrder => ({
  leaseId: newId('lse'),
  taskId: newId('tsk'),
  agent: { id: newId('agt'), name: 'support-agent' },
  template: { name: 'support-read-cases', version: 3 },
  config: {},
  scope: { audience: 'https://cases.example', operations: ['cases.read', 'cases.note'] },
  issuedAt: START,
  expiresAt: addSeconds(START, 900),
  mintBy: addSeconds(START, 10),
  ...change,
});
const mint = async (wanted: SignedTokenOrder) => provider.mint(wanted, provider.plan(wanted), signal);
const tokenOf = ({ secret = {} }: { secret?: Readonly<Record<string, unknown>> }): string => String(secret.token);

beforeAll(async () => {
  await ring.rotateIfDue();
});

describe('a minted token', () => {
  it('a minted token is an RFC 9068 access token that another implementation verifies', async () => {
    const wanted = order();
    const minted = await mint(wanted);
    const jwks = createLocalJWKSet({ keys: ring.jwks().keys.map((key) => ({ ...key })) });
    const { payload } = await jwtVerify(tokenOf(minted), jwks, {
      typ: 'at+jwt',
      issuer: ISSUER,
      audience: 'https://cases.example',
      currentDate: START,
    });
    const second = Math.floor(START.getTime() / 1000);
    expect(payload).toEqual({
      iss: ISSUER,
      sub: wanted.agent.id,
      client_id: wanted.agent.id,
      aud: 'https://cases.example',
      iat: second,
      exp: second + 900,
      jti: wanted.leaseId,
      scope: 'cases.read cases.note',
      authorization_details: [
        {
          type: 'mayfly_operations',
          actions: ['cases.read', 'cases.note'],
          locations: ['https://cases.example'],
        },
      ],
      task_id: wanted.taskId,
      template: { name: 'support-read-cases', version: 3 },
    });
  });

  it('a minted token comes with the handle that was planned, and passes the check', async () => {
    const wanted = order();
    const minted = await mint(wanted);
    expect(minted.handle).toEqual({ jti: wanted.leaseId });
    expect(minted.secret).toEqual({ token: expect.any(String), tokenType: 'Bearer' });
    expect(checkSignedToken(wanted, minted)).toBeUndefined();
  });

  it('a minted token never outlives the granted deadline, and loses less than a second of it', async () => {
    const millis = fc.integer({ min: 1_000, max: 3_600_000 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 999 }), millis, async (offset, life) => {
        const issuedAt = new Date(START.getTime() + offset);
        const wanted = order({ issuedAt, expiresAt: new Date(issuedAt.getTime() + life) });
        const minted = await mint(wanted);
        const late = wanted.expiresAt.getTime() - minted.providerExpiresAt.getTime();
        expect(late).toBeGreaterThanOrEqual(0);
        expect(late).toBeLessThan(1_000);
        expect(minted.providerExpiresAt.getTime()).toBe((decodeJwt(tokenOf(minted)).exp ?? 0) * 1000);
        expect(checkSignedToken(wanted, minted)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it('a minted token minted twice for one order says the same', async () => {
    const wanted = order();
    const tokens = [await mint(wanted), await mint(wanted)].map(tokenOf);
    expect(decodeJwt(tokens[0] ?? '')).toEqual(decodeJwt(tokens[1] ?? ''));
  });
});

describe('minting', () => {
  it.each([0, -5, 0.999, 3_600.001, 86_400])('minting refuses a lifetime of %s s', async (seconds) => {
    await expect(mint(order({ expiresAt: addSeconds(START, seconds) }))).rejects.toMatchObject({
      code: 'provider_rejected',
    });
  });

  it('minting holds the scope to the audience of the connection', async () => {
    const config = { audience: 'https://other.example', resourceServers: [] };
    const [objection] = provider.inspect(config, order().scope);
    expect(objection?.severity).toBe('error');
    const refusal = { code: 'provider_rejected', detail: objection?.detail };
    await expect(mint(order({ config }))).rejects.toMatchObject(refusal);
    await expect(provider.mint(order({ config }), { jti: 'x' }, signal)).rejects.toMatchObject(refusal);
    const minted = await mint(order({ config: { ...config, audience: 'https://cases.example' } }));
    expect(minted.secret.tokenType).toBe('Bearer');
  });

  it('minting signs nothing past its deadline', async () => {
    const wanted = order();
    const late = provider.mint(wanted, provider.plan(wanted), AbortSignal.abort());
    await expect(late).rejects.toMatchObject({ code: 'provider_rejected' });
  });

  it('minting says that nothing was minted when no key is ready, and when to come back', async () => {
    const empty = new KeyRing(new FakeSigningKeyStore(), new Sealer({ current: 'a'.repeat(64) }), clock);
    const wanted = order();
    const failed = new SignedTokenProvider(new TokenSigner(empty, clock), ISSUER).mint(wanted, { jti: 'x' }, signal);
    await expect(failed).rejects.toMatchObject({ code: 'provider_rejected', retryAfterSeconds: 5 });
  });

  it('minting states what it promises', () => {
    expect(provider.traits).toEqual({
      revocation: 'propagating',
      minTtlSeconds: 1,
      maxTtlSeconds: ring.options.longestTokenSeconds,
      remote: false,
    });
  });
});

describe('the end of a token', () => {
  it('the end of a token is its lease, and where nobody asks for the lease its expiry; it may be ended twice, or unminted', async () => {
    const wanted = order();
    const { leaseId, config, expiresAt } = wanted;
    const revocation = { leaseId, config, handle: provider.plan(wanted), expiresAt };
    const unminted = await provider.revoke(revocation);
    await mint(wanted);
    const outcomes = [unminted, await provider.revoke(revocation), await provider.revoke(revocation)];
    for (const outcome of outcomes) expect(outcome).toEqual({ kind: 'revoked', effectiveAt: expiresAt });
  });

  it('the end of a token is moved by a renewal, which gives another token with the same jti', async () => {
    const wanted = order();
    const first = await mint(wanted);
    const later = { ...wanted, issuedAt: addSeconds(START, 600), expiresAt: addSeconds(START, 1_500) };
    const renewed = await provider.renew(later, first.handle, signal);
    const [before, after] = [first, renewed].map((minted) => decodeJwt(tokenOf(minted)));
    expect(after?.jti).toBe(before?.jti);
    expect((after?.exp ?? 0) - (before?.exp ?? 0)).toBe(600);
    expect(renewed.handle).toEqual(first.handle);
    expect(checkSignedToken(later, renewed)).toBeUndefined();
  });
});

describe('a problem', () => {
  it('a problem shows neither token nor private key, nor does the provider when printed', async () => {
    const wanted = order();
    const minted = await mint(wanted);
    const { d = '' } = ring.signer().privateKey.export({ format: 'jwk' });
    const failures = [
      mint(order({ expiresAt: START })),
      provider.renew(wanted, minted.handle, AbortSignal.abort()),
      // An hour by its order, but two by the clock of the ring.
      mint(order({ issuedAt: addSeconds(START, 3_600), expiresAt: addSeconds(START, 7_200) })),
    ].map((failure) => failure.then(() => 'it did not fail').catch((error: unknown) => error));
    const problems = await Promise.all(failures);
    for (const problem of problems) expect(problem).toMatchObject({ code: 'provider_rejected' });

    const things = [...problems, checkSignedToken(order(), minted), provider];
    const shown = things.map((thing) => `${inspect(thing, { depth: 9 })} ${JSON.stringify(thing)}`).join();
    for (const canary of [...tokenOf(minted).split('.').slice(1), d]) expect(shown).not.toContain(canary);
  });
});
