import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { FakeSigningKeyStore } from '@mayfly/testing';
import { createLocalJWKSet, jwtVerify } from 'jose';
import fc from 'fast-check';
import { signJws } from './jws.js';
import { KeyRing } from './key-ring.js';
import { Sealer } from './sealer.js';
import { TokenSigner, type TokenClaims } from './token-signer.js';
import { TokenVerifier, type TokenExpectations } from './token-verifier.js';

const START = new Date('2030-01-01T00:00:00Z');
const NOW = START.getTime() / 1000;
const EXPECTED: TokenExpectations = {
  typ: 'at+jwt',
  issuer: 'https://mayfly.example',
  audience: 'https://cases.example',
};
const CLAIMS: TokenClaims = { iss: EXPECTED.issuer, aud: 'https://cases.example', jti: 'lse_1', exp: NOW + 900 };

let now = START;
const clock = { now: () => now };
const store = new FakeSigningKeyStore();
const sealer = new Sealer({ current: randomBytes(32).toString('hex') });
const ring = new KeyRing(store, sealer, clock);
const signer = new TokenSigner(ring, clock);
const verifier = new TokenVerifier(ring, clock);

beforeAll(async () => {
  await ring.rotateIfDue();
});

/** A token with any header, signed by the key of the ring. */
const signed = (header: object, claims: object = CLAIMS): Promise<string> => {
  const { kid, privateKey } = ring.signer();
  return signJws({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header }, JSON.stringify(claims), privateKey);
};

describe('a signed token', () => {
  it('a signed token carries type and kid, and another implementation verifies it with the JWKS', async () => {
    const token = await signer.sign('at+jwt', CLAIMS);
    const jwks = createLocalJWKSet({ keys: ring.jwks().keys.map((key) => ({ ...key })) });
    const { payload, protectedHeader } = await jwtVerify(token, jwks, { ...EXPECTED, currentDate: START });
    expect(payload).toEqual(CLAIMS);
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: ring.signer().kid });
  });

  it('a signed token of a ring of ES256 keys verifies as well', async () => {
    const other = new KeyRing(new FakeSigningKeyStore(), sealer, clock, { algorithm: 'ES256' });
    await other.rotateIfDue();
    const token = await new TokenSigner(other, clock).sign('at+jwt', CLAIMS);
    expect(await new TokenVerifier(other, clock).verify(token, EXPECTED)).toEqual(CLAIMS);
    expect(await verifier.verify(token, EXPECTED)).toBeUndefined();
  });

  it('a signed token is refused when it would outlive the publication of its key', async () => {
    const longest = NOW + ring.options.longestTokenSeconds + ring.options.skewSeconds;
    await expect(signer.sign('at+jwt', { exp: longest + 1 })).rejects.toMatchObject({ code: 'internal' });
    await expect(signer.sign('at+jwt', { exp: longest })).resolves.toMatch(/^ey/);
  });

  it('a signed token is refused while no key is ready', async () => {
    const empty = new KeyRing(new FakeSigningKeyStore(), sealer, clock);
    await expect(new TokenSigner(empty, clock).sign('at+jwt', CLAIMS)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('the verifier', () => {
  it('the verifier gives the claims of a good token', async () => {
    const token = await signer.sign('at+jwt', CLAIMS);
    expect(await verifier.verify(token, EXPECTED)).toEqual(CLAIMS);
    expect(await verifier.verify(token, { typ: EXPECTED.typ, issuer: EXPECTED.issuer })).toEqual(CLAIMS);
  });

  it.each([
    ['another type is expected', { typ: 'secevent+jwt' }],
    ['another issuer is expected', { issuer: 'https://other.example' }],
    ['another audience is expected', { audience: 'https://cases.example/' }],
  ])('the verifier refuses a good token when %s', async (_name, change) => {
    expect(await verifier.verify(await signer.sign('at+jwt', CLAIMS), { ...EXPECTED, ...change })).toBeUndefined();
  });

  it('the verifier follows the clock to the second: alive before `exp`, dead at it', async () => {
    const token = await signer.sign('at+jwt', CLAIMS);
    now = addSeconds(START, 899.999);
    expect(await verifier.verify(token, EXPECTED)).toEqual(CLAIMS);
    now = addSeconds(START, 900);
    expect(await verifier.verify(token, EXPECTED)).toBeUndefined();
    now = START;
  });

  it.each([
    ['no expiry', { exp: undefined }],
    ['an expiry that is text', { exp: String(NOW + 900) }],
    ['a start in the future', { nbf: NOW + 1 }],
    ['no issuer', { iss: undefined }],
    ['a list of audiences', { aud: ['https://cases.example', 'https://other.example'] }],
  ])('the verifier refuses our own signature over a token with %s', async (_name, change) => {
    expect(await verifier.verify(await signed({}, { ...CLAIMS, ...change }), EXPECTED)).toBeUndefined();
  });

  it.each([
    ['no type', { typ: undefined }],
    ['the type JWT', { typ: 'JWT' }],
    ['an unknown kid', { kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k' }],
    ['no kid', { kid: undefined }],
    ['a critical extension', { crit: ['b64'], b64: false }],
  ])('the verifier refuses our own signature under a header with %s', async (_name, header) => {
    expect(await verifier.verify(await signed(header), EXPECTED)).toBeUndefined();
    expect(await verifier.verify(await signed({}), EXPECTED)).toEqual(CLAIMS);
  });

  it('the verifier refuses a payload that is no object', async () => {
    const { kid, privateKey } = ring.signer();
    for (const payload of ['[]', 'null', '"x"', '{', '']) {
      const token = await signJws({ alg: 'EdDSA', typ: 'at+jwt', kid }, payload, privateKey);
      expect(await verifier.verify(token, EXPECTED)).toBeUndefined();
    }
  });

  it('the verifier refuses another algorithm than the key has, whatever the signature is', async () => {
    const { kid, publicJwk, privateKey } = ring.signer();
    const body = Buffer.from(JSON.stringify(CLAIMS)).toString('base64url');
    const head = (alg: string): string =>
      Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid })).toString('base64url');
    const hmac = createHmac('sha512', Buffer.from(publicJwk.x ?? '', 'base64url'))
      .update(`${head('HS512')}.${body}`)
      .digest();
    const genuine = (await signed({})).split('.')[2] ?? '';
    const really = (alg: string): string => {
      const signature = sign(null, Buffer.from(`${head(alg)}.${body}`), privateKey);
      return `${head(alg)}.${body}.${signature.toString('base64url')}`;
    };
    expect(await verifier.verify(really('EdDSA'), EXPECTED)).toEqual(CLAIMS);
    const forged = [
      really('none'),
      really('ES256'),
      `${head('none')}.${body}.`,
      `${head('none')}.${body}.${genuine}`,
      `${head('HS512')}.${body}.${hmac.toString('base64url')}`,
      `${head('ES256')}.${body}.${genuine}`,
    ];
    for (const token of forged) expect(await verifier.verify(token, EXPECTED)).toBeUndefined();
  });

  it('the verifier refuses a key that the token itself brings', async () => {
    const own = generateKeyPairSync('ed25519');
    const jwk = own.publicKey.export({ format: 'jwk' });
    const { kid } = ring.signer();
    const header = { alg: 'EdDSA' as const, typ: 'at+jwt', kid, jwk: JSON.parse(JSON.stringify(jwk)) as never };
    const token = await signJws(header, JSON.stringify(CLAIMS), own.privateKey);
    expect(await verifier.verify(token, EXPECTED)).toBeUndefined();
  });

  it('the verifier refuses a token with any one character replaced', async () => {
    const token = await signer.sign('at+jwt', CLAIMS);
    for (let at = 0; at < token.length; at += 1) {
      const altered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      expect(await verifier.verify(altered, EXPECTED)).toBeUndefined();
    }
  });

  it('the verifier never throws, whatever text it is given', async () => {
    const part = fc.oneof(fc.base64String(), fc.string(), fc.json());
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part, { maxLength: 5 }).map((parts) => parts.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        expect(await verifier.verify(token, EXPECTED)).toBeUndefined();
      }),
    );
  });

  it('the verifier does not look into a token beyond its bound', async () => {
    const long = await signed({}, { ...CLAIMS, more: 'x'.repeat(8_192) });
    expect(await verifier.verify(long, EXPECTED)).toBeUndefined();
    expect(await verifier.verify(await signed({}, { ...CLAIMS, more: 'x'.repeat(4_000) }), EXPECTED)).toBeDefined();
  });
});
