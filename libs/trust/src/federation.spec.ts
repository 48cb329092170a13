import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds, type JsonObject } from '@mayfly/kernel';
import { FakeSigningKeyStore } from '@mayfly/testing';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { FederationTokens, type FederationTokenOrder } from './federation-tokens.js';
import { signJws } from './jws.js';
import { KeyRing } from './key-ring.js';
import { Sealer } from './sealer.js';
import { TokenSigner } from './token-signer.js';
import { TokenVerifier } from './token-verifier.js';

const START = new Date('2030-01-01T00:00:00.750Z');
const NOW = Math.floor(START.getTime() / 1000);
const ISSUER = 'https://mayfly.example/federation';
const ORDER: FederationTokenOrder = { audience: 'sts.amazonaws.com', subject: 'broker', lifetimeSeconds: 300 };

let now = START;
const clock = { now: () => now };
const sealer = new Sealer({ current: randomBytes(32).toString('hex') });
const accessStore = new FakeSigningKeyStore('access');
const federationStore = new FakeSigningKeyStore('federation', accessStore);
const access = new KeyRing(accessStore, sealer, clock);
const federation = new KeyRing(federationStore, sealer, clock);
const tokens = new FederationTokens(federation, clock, ISSUER);

const keysOf = (ring: KeyRing) => createLocalJWKSet({ keys: ring.jwks().keys.map((key) => ({ ...key })) });

beforeAll(async () => {
  await access.rotateIfDue();
  await federation.rotateIfDue();
});

beforeEach(() => {
  now = START;
});

describe('a federation token', () => {
  it('a federation token says who for whom and how long, and another implementation verifies it with the JWKS', async () => {
    const claims = { task_id: 'tsk_1', 'https://aws.amazon.com/tags': { principal_tags: { template: ['t'] } } };
    const token = await tokens.issue({ ...ORDER, claims });
    const { payload, protectedHeader } = await jwtVerify(token, keysOf(federation), {
      ...{ issuer: ISSUER, audience: ORDER.audience, subject: ORDER.subject, typ: 'JWT', currentDate: START },
    });
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: federation.signer().kid });
    expect(payload).toEqual({
      ...{ iss: ISSUER, sub: 'broker', aud: 'sts.amazonaws.com', iat: NOW, exp: NOW + 300, ...claims },
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('a federation token has an id of its own', async () => {
    expect(await tokens.issue(ORDER)).not.toBe(await tokens.issue(ORDER));
  });

  it.each([1, 3_600])('a federation token may live for %d s', async (lifetimeSeconds) => {
    await expect(tokens.issue({ ...ORDER, lifetimeSeconds })).resolves.toMatch(/^ey/);
  });

  it.each([0, -1, 3_601, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'a federation token may not live for %d s',
    async (lifetimeSeconds) => {
      await expect(tokens.issue({ ...ORDER, lifetimeSeconds })).rejects.toMatchObject({ code: 'internal' });
    },
  );

  it('a federation token may not outlive the publication of its key', async () => {
    const ring = new KeyRing(federationStore, sealer, clock, { longestTokenSeconds: 600 });
    await ring.load();
    const short = new FederationTokens(ring, clock, ISSUER);
    await expect(short.issue({ ...ORDER, lifetimeSeconds: 601 })).rejects.toMatchObject({ code: 'internal' });
    await expect(short.issue({ ...ORDER, lifetimeSeconds: 600 })).resolves.toMatch(/^ey/);
  });

  it.each(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'])(
    'a federation token does not let its order set `%s`',
    async (name) => {
      for (const value of ['x', null, undefined]) {
        const claims: JsonObject = { task_id: 'tsk_1', [name]: value };
        await expect(tokens.issue({ ...ORDER, claims })).rejects.toMatchObject({ code: 'internal' });
      }
    },
  );

  it.each(['audience', 'subject'])('a federation token needs its %s', async (member) => {
    await expect(tokens.issue({ ...ORDER, [member]: '' })).rejects.toMatchObject({ code: 'internal' });
  });

  it('a federation token is not issued while no key is ready', async () => {
    const empty = new KeyRing(new FakeSigningKeyStore('federation'), sealer, clock);
    const later = new FederationTokens(empty, clock, ISSUER);
    await expect(later.issue(ORDER)).rejects.toMatchObject({ code: 'unavailable' });
    await empty.rotateIfDue();
    await expect(later.issue(ORDER)).resolves.toMatch(/^ey/);
  });

  it('a federation token is not issued with a key that another replica may have replaced', async () => {
    now = addSeconds(START, 660);
    await expect(tokens.issue(ORDER)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('federation keys', () => {
  it('federation keys are RSA of 2,048 bits, and published without a private member', () => {
    const [jwk] = federation.jwks().keys;
    expect(Object.keys(jwk!).toSorted()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    expect(jwk).toMatchObject({ kty: 'RSA', alg: 'RS256', use: 'sig', e: 'AQAB' });
    expect(Buffer.from(jwk!.n ?? '', 'base64url')).toHaveLength(256);
  });

  it('federation keys are published as long before they sign as a verifier may not know them, however long they took to make', async () => {
    const published: Date[] = [];
    const store = new (class extends FakeSigningKeyStore {
      override add(...args: Parameters<FakeSigningKeyStore['add']>): Promise<boolean> {
        published.push(now);
        return super.add(...args);
      }
    })('federation');
    const ring = new KeyRing(store, sealer, clock);
    await ring.rotateIfDue();
    now = addSeconds(START, 30 * 86_400);
    const passing = setInterval(() => (now = addSeconds(now, 1)), 1);
    await ring.rotateIfDue();
    clearInterval(passing);
    const [, next] = await store.list();
    expect(next!.activeFrom).toEqual(addSeconds(published[1]!, 660));
  });

  it('federation keys and access keys are published separately', () => {
    const kids = (ring: KeyRing) => ring.jwks().keys.map(({ kid }) => kid);
    expect(kids(access)).toHaveLength(1);
    expect(kids(federation)).toHaveLength(1);
    expect(kids(access)).not.toEqual(kids(federation));
    expect(access.find(federation.signer().kid)).toBeUndefined();
  });

  it('federation keys show no private half anywhere: row, ring, JWKS, tokens, problem', async () => {
    const [row] = await federationStore.list();
    const foreign = new KeyRing(federationStore, new Sealer({ current: randomBytes(32).toString('hex') }), clock);
    const problem: unknown = await foreign.load().catch((error: unknown) => error);
    expect(problem).toMatchObject({ code: 'internal' });
    const { d = '', p = '', q = '' } = federation.signer().privateKey.export({ format: 'jwk' });
    const things = [
      row,
      federation,
      federation.jwks(),
      federation.signer(),
      tokens,
      await tokens.issue(ORDER),
      problem,
    ];
    const shown = things
      .map((thing) => `${JSON.stringify(thing)} ${inspect(thing, { depth: 9, maxArrayLength: null })}`)
      .join();
    for (const secret of [d, p, q].map((text) => Buffer.from(text, 'base64url'))) {
      expect(secret.length).toBeGreaterThanOrEqual(128);
      for (const encoding of ['hex', 'base64', 'base64url'] as const) {
        expect(shown).not.toContain(secret.toString(encoding).slice(0, 40));
      }
      expect(shown).not.toContain(secret.toJSON().data.slice(0, 40).join(','));
      expect(row!.sealedPrivateKey.includes(secret)).toBe(false);
    }
  });
});

describe('the two kinds of keys', () => {
  const expected = { typ: 'at+jwt', issuer: 'https://mayfly.example' };
  const claims = { iss: expected.issuer, aud: ORDER.audience, sub: ORDER.subject, exp: NOW + 300 };
  const verifier = new TokenVerifier(access, clock);

  it('the two kinds of keys do not stand in for each other', () => {
    expect(() => new TokenVerifier(federation, clock)).toThrow('for federation, not for access');
    expect(() => new TokenSigner(federation, clock)).toThrow('for federation, not for access');
    expect(() => new FederationTokens(access, clock, ISSUER)).toThrow('for access, not for federation');
  });

  it('the two kinds of keys have algorithms of their own', () => {
    expect(() => new KeyRing(federationStore, sealer, clock, { algorithm: 'ES256' })).toThrow('use another');
    expect(() => new KeyRing(accessStore, sealer, clock, { algorithm: 'RS256' })).toThrow('use another');
  });

  it('a verifier of federation tokens refuses an access token', async () => {
    const token = await new TokenSigner(access, clock).sign('at+jwt', { ...claims, iss: ISSUER });
    await expect(jwtVerify(token, keysOf(access), { issuer: ISSUER, currentDate: START })).resolves.toBeDefined();
    await expect(jwtVerify(token, keysOf(federation), { issuer: ISSUER, currentDate: START })).rejects.toMatchObject({
      code: 'ERR_JWKS_NO_MATCHING_KEY',
    });
  });

  it('a verifier of access tokens refuses a federation token with any claims', async () => {
    const good = await new TokenSigner(access, clock).sign('at+jwt', claims);
    expect(await verifier.verify(good, expected)).toEqual(claims);
    const { privateKey } = federation.signer();
    for (const kid of [federation.signer().kid, access.signer().kid]) {
      for (const alg of ['RS256', 'EdDSA', 'ES256'] as const) {
        const head = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid })).toString('base64url');
        const genuine = await signJws({ alg: 'RS256', typ: 'at+jwt', kid }, JSON.stringify(claims), privateKey);
        expect(await verifier.verify(genuine, expected)).toBeUndefined();
        expect(await verifier.verify(genuine.replace(/^[^.]+/, head), expected)).toBeUndefined();
      }
    }
    expect(await verifier.verify(await tokens.issue(ORDER), expected)).toBeUndefined();
  });

  it.each([
    ['federation', 'access'],
    ['access', 'federation'],
  ] as const)(
    'the two kinds of keys cannot be swapped in the database: a key moved from %s to %s does not open',
    async (from, to) => {
      const source = new FakeSigningKeyStore(from);
      await new KeyRing(source, sealer, clock).rotateIfDue();
      const target = new FakeSigningKeyStore(to);
      target.plant(...(await source.list()));
      const ring = new KeyRing(target, sealer, clock);
      await expect(ring.load()).rejects.toMatchObject({ code: 'internal' });
      expect(() => ring.jwks()).toThrow('no signing key is ready; try again later');
      expect(() => ring.signer()).toThrow('no signing key is ready; try again later');
    },
  );
});
