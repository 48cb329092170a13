import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { compactVerify } from 'jose';
import { decodeJws, signJws, verifyJws } from './jws.js';
import { thumbprint } from './signing-key.js';

// RFC 8037 appendix A: the Ed25519 key, its thumbprint (A.3) and a JWS under it (A.4).
const ED25519 = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
};
const ED25519_JWS =
  'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.' +
  'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';

// RFC 7515 appendix A.3: ECDSA on P-256.
const P256 = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};
const P256_JWS =
  'eyJhbGciOiJFUzI1NiJ9.' +
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.' +
  'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q';

describe('a compact JWS', () => {
  it('is signed byte for byte as in RFC 8037 A.4', async () => {
    const key = createPrivateKey({ key: ED25519, format: 'jwk' });
    expect(await signJws({ alg: 'EdDSA' }, 'Example of Ed25519 signing', key)).toBe(ED25519_JWS);
  });

  it.each([
    ['RFC 8037 A.4', 'EdDSA' as const, ED25519_JWS, { kty: 'OKP', crv: 'Ed25519', x: ED25519.x }],
    ['RFC 7515 A.3', 'ES256' as const, P256_JWS, P256],
  ])('verifies the vector of %s and no other signature', async (_name, alg, text, jwk) => {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const jws = decodeJws(text);
    if (jws === undefined) throw new Error('the vector does not decode');
    expect(await verifyJws(jws, alg, key)).toBe(true);
    for (const at of [0, 31, 32, 63]) {
      const signature = Buffer.from(jws.signature);
      signature.writeUInt8(signature.readUInt8(at) ^ 1, at);
      expect(await verifyJws({ ...jws, signature }, alg, key)).toBe(false);
    }
  });

  it('of ES256 is understood by another implementation', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { payload } = await compactVerify(await signJws({ alg: 'ES256' }, 'grüße', privateKey), publicKey);
    expect(Buffer.from(payload).toString()).toBe('grüße');
  });

  it.each([
    ['nothing', ''],
    ['two parts', 'eyJhbGciOiJFZERTQSJ9.e30'],
    ['four parts', `${ED25519_JWS}.e30`],
    ['padding', `${ED25519_JWS}==`],
    ['a space inside', ED25519_JWS.replace('.', '. ')],
    ['the other alphabet', ED25519_JWS.replace('_', '/')],
    ['spare bits set in the last character', ED25519_JWS.replace(/g$/, 'h')],
    ['a signature that is too short', ED25519_JWS.slice(0, -2)],
    ['a header that is no UTF-8', ED25519_JWS.replace('eyJ', 'eyK')],
    ['a header that is no JSON', ED25519_JWS.replace(/^[^.]+/, 'e30x')],
    ['a header that is an array', ED25519_JWS.replace(/^[^.]+/, 'W10')],
    ['a header that is null', ED25519_JWS.replace(/^[^.]+/, 'bnVsbA')],
  ])('does not decode with %s', (_name, text) => {
    expect(decodeJws(text)).toBeUndefined();
  });
});

describe('a JWK thumbprint', () => {
  it('is the one of RFC 8037 A.3', () => {
    expect(thumbprint(ED25519)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });
});
