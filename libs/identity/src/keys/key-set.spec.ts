import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { KeySet } from './key-set.js';

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ecJwk = { ...ec.publicKey.export({ format: 'jwk' }), kid: 'ec' };
const edwardsJwk = { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'ed' };
const rsaJwk = {
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }),
  kid: 'rsa',
};
const weakJwk = {
  ...generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }),
  kid: 'weak',
};

const read = (keys: readonly unknown[], profile: 'oidc' | 'spiffe-jwt' = 'oidc'): KeySet =>
  KeySet.read({ keys, spiffe_sequence: 1 }, profile);

describe('KeySet', () => {
  it.each([
    ['ES256', ecJwk, true],
    ['ES384', ecJwk, false],
    ['RS256', rsaJwk, true],
    ['PS256', rsaJwk, true],
    ['ES256', rsaJwk, false],
    ['PS256', { ...rsaJwk, alg: 'RS256' }, false],
    ['EdDSA', edwardsJwk, true],
    ['Ed25519', { ...edwardsJwk, alg: 'EdDSA' }, true],
    ['ES256', { ...ecJwk, alg: 'HS256' }, false],
    ['RS256', weakJwk, false],
    ['ES256', { ...ec.privateKey.export({ format: 'jwk' }), kid: 'ec' }, false],
    ['ES256', { ...ecJwk, x: 'AAAA' }, false],
    ['ES256', { ...ecJwk, use: 'sig' }, true],
    ['ES256', { ...ecJwk, use: 'enc' }, false],
    ['ES256', { ...ecJwk, key_ops: ['verify'] }, true],
    ['ES256', { ...ecJwk, key_ops: ['sign'] }, false],
  ] as const)('KeySet finds a key for %s in %o: %s', (algorithm, jwk, isFound) => {
    expect(read([jwk]).find(algorithm, jwk.kid) !== undefined).toBe(isFound);
  });

  it.each([
    ['no use', {}, true],
    ['jwt-svid', { use: 'jwt-svid' }, true],
    ['x509-svid', { use: 'x509-svid' }, false],
    ['wit-svid', { use: 'wit-svid' }, false],
    ['sig', { use: 'sig' }, true],
    ['enc', { use: 'enc' }, false],
  ])('KeySet takes a key of a SPIFFE bundle with %s: %s', (_, use, isTaken) => {
    expect(read([{ ...ecJwk, ...use }], 'spiffe-jwt').has('ec')).toBe(isTaken);
  });

  it('KeySet never takes a key of a SPIFFE bundle for another profile', () => {
    expect(read([{ ...ecJwk, use: 'jwt-svid' }]).has('ec')).toBe(false);
  });

  it('KeySet skips malformed keys and keeps the rest', () => {
    const keys = read([null, 'x', { kty: 'oct', k: 'AA', kid: 'oct' }, { kty: 'AKP', kid: 'new' }, ecJwk]);
    expect(['oct', 'new', 'ec'].map((kid) => keys.has(kid))).toEqual([false, false, true]);
  });

  it('KeySet keeps the refresh hint of a SPIFFE bundle, and of no other key set', () => {
    const hinting = (hint: unknown, profile: 'oidc' | 'spiffe-jwt') =>
      KeySet.read({ keys: [], spiffe_refresh_hint: hint }, profile).refreshHintSeconds;
    expect(hinting(60, 'spiffe-jwt')).toBe(60);
    expect(hinting(60, 'oidc')).toBeUndefined();
    for (const hint of ['60', -1, 0, null]) expect(hinting(hint, 'spiffe-jwt')).toBeUndefined();
  });

  it('KeySet describes its keys by id and algorithms, and counts the skipped ones', () => {
    const set = read([ecJwk, rsaJwk, { ...ecJwk, kid: 'tls', use: 'enc' }, null]);
    expect(set.described).toEqual([
      { kid: 'ec', algorithms: ['ES256'] },
      { kid: 'rsa', algorithms: ['RS256', 'PS256'] },
    ]);
    expect(set.passedOver).toBe(2);
  });

  it('KeySet finds no key when two have the same kid', () => {
    expect(read([ecJwk, { ...ecJwk }]).find('ES256', 'ec')).toBeUndefined();
  });

  it('KeySet accepts an empty set', () => {
    expect(read([]).find('ES256', undefined)).toBeUndefined();
  });

  it.each([
    ['null', null],
    ['a list', []],
    ['no keys', {}],
    ['keys that are no list', { keys: {} }],
    ['51 keys', { keys: Array(51).fill(ecJwk) }],
  ])('KeySet refuses %s', (_, jwks) => {
    expect(() => KeySet.read(jwks, 'oidc')).toThrow('not a JWKS');
  });
});
