import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isSingleUse, IssuerSpecSchema } from './issuer-spec.js';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
const foreign = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' });

const minimal = {
  profile: 'oidc',
  issuer: 'https://ci.example',
  audiences: ['mayfly'],
  algorithms: ['ES256'],
  keys: { discovery: true },
};
const endpoint = { profile: 'https_spiffe', url: 'https://10.0.0.1', spiffeId: 'spiffe://prod.example/spire/server' };
const bundle = { keys: [{ use: 'x509-svid' }] };
const meshAt = (place: object) => ({ ...mesh, keys: { bundleEndpoint: { ...endpoint, ...place } } });
const mesh = { profile: 'spiffe-jwt', issuer: 'spiffe://prod.example', keys: { jwksUri: 'https://prod.example/b' } };

describe('IssuerSpecSchema', () => {
  it('IssuerSpecSchema fills in the bounds', () => {
    expect(IssuerSpecSchema.parse(minimal)).toEqual({
      ...minimal,
      clockToleranceSeconds: 10,
      maxLifetimeSeconds: 3600,
      staleKeysSeconds: 900,
    });
  });

  it.each([
    ['pinned keys', { keys: { jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a' }] } } }],
    ['no keys at all: everything was withdrawn', { keys: { jwks: { keys: [] } } }],
    ['keys at a URL', { keys: { jwksUri: 'https://ci.example/jwks' } }],
    ['a port and a path', { issuer: 'https://ci.example:8443/tenant/' }],
    ['a URN with pinned keys', { issuer: 'urn:mayfly:development', keys: { jwks: { keys: [] } } }],
    ['a trust domain', mesh],
    ['roles', { roles: { auditor: { claim: 'groups', values: ['audit'] } } }],
    ['roles by a JSON Pointer', { roles: { auditor: { claim: '/realm_access/roles', values: ['audit'] } } }],
    ['roles by a claim that is a URL', { roles: { auditor: { claim: 'https://a.example/roles', values: ['audit'] } } }],
    ['access tokens', { tokenTypes: ['jwt', 'at+jwt'] }],
    ['SVIDs for several audiences', { ...mesh, multipleAudiences: true }],
    ['an own authority', { caFile: '/run/secrets/ca.pem' }],
    ['an own authority as a file: reference', { caFile: 'file:/run/secrets/ca.pem' }],
    ['an https_spiffe endpoint with a bundle', meshAt({ bundle })],
    ['an https_spiffe endpoint with a file', meshAt({ bundleFile: '/run/bundle.json' })],
    [
      'an https_web endpoint',
      { ...mesh, keys: { bundleEndpoint: { profile: 'https_web', url: 'https://a.example' } } },
    ],
  ])('IssuerSpecSchema accepts %s', (_, spec) => {
    expect(IssuerSpecSchema.safeParse({ ...minimal, ...spec })).toMatchObject({ success: true });
  });

  it.each([
    ['an unknown key', { issuers: [] }, ''],
    ['an unknown profile', { profile: 'saml' }, 'profile'],
    ['text that is no URL', { issuer: 'ci.example' }, 'issuer'],
    ['an issuer with a query', { issuer: 'https://ci.example?x' }, 'issuer'],
    ['an issuer with a user', { issuer: 'https://me@ci.example' }, 'issuer'],
    ['an issuer with white space', { issuer: 'https://ci.example ' }, 'issuer'],
    ['a scheme in capitals', { issuer: 'HTTPS://ci.example' }, 'issuer'],
    ['a trust domain outside spiffe-jwt', { issuer: 'spiffe://prod.example' }, 'issuer'],
    ['a URL for spiffe-jwt', { ...mesh, issuer: 'https://prod.example' }, 'issuer'],
    ['a SPIFFE ID with a path', { ...mesh, issuer: 'spiffe://prod.example/a' }, 'issuer'],
    ['discovery of a URN', { issuer: 'urn:mayfly:development' }, 'keys.discovery'],
    ['discovery of a trust domain', { ...mesh, keys: { discovery: true } }, 'keys.discovery'],
    ['EdDSA for spiffe-jwt', { ...mesh, algorithms: ['EdDSA'] }, 'algorithms'],
    ['Ed25519 for spiffe-jwt', { ...mesh, algorithms: ['ES256', 'Ed25519'] }, 'algorithms'],
    ['HS256', { algorithms: ['HS256'] }, 'algorithms.0'],
    ['none', { algorithms: ['none'] }, 'algorithms.0'],
    ['no algorithm', { algorithms: [] }, 'algorithms'],
    ['no audience', { audiences: [] }, 'audiences'],
    ['nine audiences', { audiences: Array(9).fill('mayfly') }, 'audiences'],
    ['no key source', { keys: {} }, 'keys'],
    ['two key sources', { keys: { discovery: true, jwksUri: 'https://ci.example/jwks' } }, 'keys'],
    ['a key source that is no URL', { keys: { jwksUri: 'file:///etc/passwd' } }, 'keys.jwksUri'],
    ['a private key', { keys: { jwks: { keys: [privateKey.export({ format: 'jwk' })] } } }, 'keys.jwks.keys.0'],
    ['a shared secret', { keys: { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } } }, 'keys.jwks.keys.0.kty'],
    ['RSA with 1024 bits', { keys: { jwks: { keys: [weak] } } }, 'keys.jwks.keys.0'],
    ['a curve that is not trusted', { keys: { jwks: { keys: [foreign] } } }, 'keys.jwks.keys.0'],
    ['51 keys', { keys: { jwks: { keys: Array(51).fill(publicKey.export({ format: 'jwk' })) } } }, 'keys.jwks.keys'],
    ['a relative file', { caFile: 'ca.pem' }, 'caFile'],
    ['a secret of the environment as a file', { caFile: 'env:CA' }, 'caFile'],
    ['an authority for pinned keys', { keys: { jwks: { keys: [] } }, caFile: '/ca.pem' }, 'caFile'],
    ['an authority beside a bundle', { ...meshAt({ bundle }), caFile: '/ca.pem' }, 'caFile'],
    ['a bundle endpoint of another profile', { keys: meshAt({ bundle }).keys }, 'keys.bundleEndpoint'],
    ['an https_spiffe endpoint without a bundle', meshAt({}), 'keys.bundleEndpoint'],
    ['an https_spiffe endpoint with two bundles', meshAt({ bundle, bundleFile: '/b' }), 'keys.bundleEndpoint'],
    ['an endpoint that is no SPIFFE ID', meshAt({ bundle, spiffeId: 'a' }), 'keys.bundleEndpoint.spiffeId'],
    ['an endpoint of another profile', meshAt({ profile: 'https' }), 'keys.bundleEndpoint.profile'],
    ['empty roles', { roles: {} }, 'roles'],
    ['an unknown role', { roles: { root: { claim: 'groups', values: ['a'] } } }, 'roles'],
    ['a role for no value', { roles: { auditor: { claim: 'groups', values: [] } } }, 'roles.auditor.values'],
    ['roles of a trust domain', { ...mesh, roles: { auditor: { claim: 'a', values: ['b'] } } }, 'roles'],
    ['a broken pointer', { roles: { auditor: { claim: '/a~b', values: ['x'] } } }, 'roles.auditor.claim'],
    ['groups without roles', { groups: { claim: 'groups' } }, 'groups'],
    ['an owner that is no name', { owner: 'The CRM' }, 'owner'],
    ['no type of token', { tokenTypes: [] }, 'tokenTypes'],
    ['an unknown type of token', { tokenTypes: ['dpop+jwt'] }, 'tokenTypes.0'],
    ['access tokens of a trust domain', { ...mesh, tokenTypes: ['at+jwt'] }, 'tokenTypes'],
    ['a tolerance of 61 seconds', { clockToleranceSeconds: 61 }, 'clockToleranceSeconds'],
    ['a lifetime of more than a day', { maxLifetimeSeconds: 86_401 }, 'maxLifetimeSeconds'],
    ['keys stale for more than a day', { staleKeysSeconds: 86_401 }, 'staleKeysSeconds'],
  ])('IssuerSpecSchema refuses %s', (_, spec, path) => {
    const result = IssuerSpecSchema.safeParse({ ...minimal, ...spec });
    expect(new Set(result.error?.issues.map((issue) => issue.path.join('.')))).toEqual(new Set([path]));
  });

  it.each([
    ['oidc', undefined, false],
    ['kubernetes', undefined, false],
    ['github-actions', undefined, true],
    ['github-actions', 'reusable', false],
    ['oidc', 'single-use', true],
  ])('IssuerSpecSchema lets a token of %s with replay %s be used once: %s', (profile, replay, once) => {
    expect(isSingleUse(IssuerSpecSchema.parse({ ...minimal, profile, replay }))).toBe(once);
  });
});
