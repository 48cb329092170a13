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

// RFC 7515 appendix A.2: RSASSA-PKCS1-v1_5 with SHA-256, whose signatures are the same every time.
const RSA = {
  kty: 'RSA',
  n: [
    'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_',
    'YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD',
    'Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
  ].join(''),
  e: 'AQAB',
  d: [
    'Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTG',
    'oVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQ',
    'UShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ',
  ].join(''),
  p:
    '4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t' +
    '7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc',
  q:
    'uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njb' +
    'glfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc',
  dp:
    'BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCd' +
    'y7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0',
  dq:
    'h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr' +
    '2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU',
  qi:
    'IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITr' +
    'JReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U',
};
const RSA_PAYLOAD = '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}';
const RSA_JWS = [
  'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.',
  'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQ',
  'jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt',
  'FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw',
].join('');

describe('a compact JWS', () => {
  it('a compact JWS is signed byte for byte as in RFC 8037 A.4', async () => {
    const key = createPrivateKey({ key: ED25519, format: 'jwk' });
    expect(await signJws({ alg: 'EdDSA' }, 'Example of Ed25519 signing', key)).toBe(ED25519_JWS);
  });

  it('a compact JWS is signed byte for byte as in RFC 7515 A.2', async () => {
    const key = createPrivateKey({ key: RSA, format: 'jwk' });
    expect(await signJws({ alg: 'RS256' }, RSA_PAYLOAD, key)).toBe(RSA_JWS);
  });

  it.each([
    ['RFC 8037 A.4', 'EdDSA' as const, ED25519_JWS, { kty: 'OKP', crv: 'Ed25519', x: ED25519.x }],
    ['RFC 7515 A.3', 'ES256' as const, P256_JWS, P256],
  ])('a compact JWS verifies the vector of %s and no other signature', async (_name, alg, text, jwk) => {
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

  it('a compact JWS of ES256 verifies with another implementation', async () => {
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
    ['a signature of RS256, which is for others to verify', RSA_JWS],
    ['a header that is no UTF-8', ED25519_JWS.replace('eyJ', 'eyK')],
    ['a header that is no JSON', ED25519_JWS.replace(/^[^.]+/, 'e30x')],
    ['a header that is an array', ED25519_JWS.replace(/^[^.]+/, 'W10')],
    ['a header that is null', ED25519_JWS.replace(/^[^.]+/, 'bnVsbA')],
  ])('a compact JWS does not decode with %s', (_name, text) => {
    expect(decodeJws(text)).toBeUndefined();
  });
});

describe('a JWK thumbprint', () => {
  it('a JWK thumbprint is the one of RFC 8037 A.3', () => {
    expect(thumbprint(ED25519)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });

  it('a JWK thumbprint of an RSA key is the one of RFC 7638 §3.1', () => {
    const n = [
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst',
      'n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr',
      'n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
    ].join('');
    const jwk = { kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' };
    expect(thumbprint(jwk)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });
});
