import { describe, expect, it } from '@jest/globals';
import { identityRefusalReason } from '../identity-refusal.js';
import { publicEgress } from '../keys/egress.js';
import { IssuerSpecSchema, type TrustedIssuer } from './issuer-spec.js';
import { issuerKey } from './issuer-group.js';
import { issuerEgressErrors, TrustedIssuers } from './trusted-issuers.js';

function issuer(name: string, spec: object): TrustedIssuer {
  const keys = { jwks: { keys: [] } };
  const declared = { profile: 'oidc', audiences: ['mayfly'], algorithms: ['ES256'], keys, ...spec };
  return { name, spec: IssuerSpecSchema.parse(declared) };
}

const trusted = new TrustedIssuers(
  [
    issuer('ci', { issuer: 'https://ci.example' }),
    issuer('development', { issuer: 'urn:mayfly:development' }),
    issuer('mesh', { issuer: 'spiffe://prod.example', profile: 'spiffe-jwt' }),
  ],
  publicEgress,
);

function selected(claims: { iss?: string; sub?: string }): string | undefined {
  try {
    return trusted.select(claims).lead.name;
  } catch (error) {
    return identityRefusalReason(error);
  }
}

describe('TrustedIssuers', () => {
  it.each([
    [{ iss: 'https://ci.example', sub: 'agent' }, 'ci'],
    [{ iss: 'urn:mayfly:development' }, 'development'],
    [{ sub: 'spiffe://prod.example/agent' }, 'mesh'],
    [{ iss: 'https://spire.example', sub: 'spiffe://PROD.example/agent' }, 'mesh'],
    // Who signs for `ci` may call itself what it likes: it stays an identity of `ci`.
    [{ iss: 'https://ci.example', sub: 'spiffe://prod.example/agent' }, 'ci'],
    [{ iss: 'spiffe://prod.example', sub: 'agent' }, 'unknown_issuer'],
    [{ iss: 'https://ci.example.evil' }, 'unknown_issuer'],
    [{ iss: '' }, 'unknown_issuer'],
    [{}, 'unknown_issuer'],
  ])('selects by %o: %s', (claims, name) => {
    expect(selected(claims)).toBe(name);
  });
});

describe('issuerKey', () => {
  it('tells issuers apart as the selection does', () => {
    const mesh = (domain: string) => issuer('mesh', { issuer: domain, profile: 'spiffe-jwt' });
    const [lower, upper] = [mesh('spiffe://example.org'), mesh('spiffe://Example.ORG')];
    expect(issuerKey(upper.spec)).toBe(issuerKey(lower.spec));
    expect(
      new TrustedIssuers([lower, upper], publicEgress).select({ sub: 'spiffe://example.org/a' }).documents,
    ).toHaveLength(2);
    const [plain, slash] = ['https://ci.example', 'https://ci.example/'].map((url) => issuer('ci', { issuer: url }));
    expect(issuerKey(plain!.spec)).not.toBe(issuerKey(slash!.spec));
  });
});

describe('issuerEgressErrors', () => {
  it('points at every place that reaches too far', () => {
    const { spec } = issuer('ci', { issuer: 'http://ci.example', keys: { jwksUri: 'https://10.0.0.1/keys' } });
    expect(issuerEgressErrors(spec, publicEgress)).toEqual([
      { pointer: '/issuer', detail: 'use https' },
      { pointer: '/keys/jwksUri', detail: 'use a host with a public address' },
    ]);
    expect(issuerEgressErrors(spec, { trustedHosts: ['ci.example', '10.0.0.1'] })).toEqual([]);
  });

  it('has nothing against an issuer that is no URL', () => {
    expect(issuerEgressErrors(issuer('d', { issuer: 'urn:mayfly:development' }).spec, publicEgress)).toEqual([]);
  });
});
