import { describe, expect, it } from '@jest/globals';
import { AllowList, PublicEgress } from '@mayfly/egress';
import { identityRefusalReason } from '../identity-refusal.js';
import { IssuerSpecSchema, type TrustedIssuer } from './issuer-spec.js';
import { issuerKey } from './issuer-group.js';
import { issuerEgressErrors, TrustedIssuers } from './trusted-issuers.js';

function issuer(name: string, spec: object): TrustedIssuer {
  const keys = { jwks: { keys: [] } };
  const declared = { profile: 'oidc', audiences: ['mayfly'], algorithms: ['ES256'], keys, ...spec };
  return { name, spec: IssuerSpecSchema.parse(declared) };
}

const trusted = new TrustedIssuers([
  issuer('ci', { issuer: 'https://ci.example' }),
  issuer('development', { issuer: 'urn:mayfly:development' }),
  issuer('mesh', { issuer: 'spiffe://prod.example', profile: 'spiffe-jwt' }),
]);

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
    // A token with the `iss` of `ci` belongs to `ci`, whatever its `sub` looks like.
    [{ iss: 'https://ci.example', sub: 'spiffe://prod.example/agent' }, 'ci'],
    [{ iss: 'spiffe://prod.example', sub: 'agent' }, 'unknown_issuer'],
    [{ iss: 'https://ci.example.evil' }, 'unknown_issuer'],
    [{ iss: '' }, 'unknown_issuer'],
    [{}, 'unknown_issuer'],
  ])('TrustedIssuers selects by %o: %s', (claims, name) => {
    expect(selected(claims)).toBe(name);
  });
});

describe('documents of one issuer', () => {
  it('documents of one issuer agree when one states a default that the other leaves out', () => {
    const [plain, written] = [{}, { replay: 'reusable' }].map((spec) =>
      issuer('ci', { issuer: 'https://ci.example', ...spec }),
    );
    expect(new TrustedIssuers([plain!, written!]).select({ iss: 'https://ci.example' }).documents).toHaveLength(2);
  });
});

describe('issuerKey', () => {
  it('issuerKey tells issuers apart as the selection does', () => {
    const mesh = (domain: string) => issuer('mesh', { issuer: domain, profile: 'spiffe-jwt' });
    const [lower, upper] = [mesh('spiffe://example.org'), mesh('spiffe://Example.ORG')];
    expect(issuerKey(upper.spec)).toBe(issuerKey(lower.spec));
    expect(new TrustedIssuers([lower, upper]).select({ sub: 'spiffe://example.org/a' }).documents).toHaveLength(2);
    const [plain, slash] = ['https://ci.example', 'https://ci.example/'].map((url) => issuer('ci', { issuer: url }));
    expect(issuerKey(plain!.spec)).not.toBe(issuerKey(slash!.spec));
  });
});

describe('issuerEgressErrors', () => {
  const strict = new PublicEgress();

  it.each([
    ['/issuer', { issuer: 'http://ci.example', keys: { discovery: true } }, 'use https'],
    ['/issuer', { issuer: 'https://10.0.0.1', keys: { discovery: true } }, 'rule `private`'],
    ['/keys/jwksUri', { keys: { jwksUri: 'https://127.0.0.1/keys' } }, 'rule `loopback`'],
    ['/keys/jwksUri', { keys: { jwksUri: 'https://169.254.169.254/keys' } }, 'no setting allows it'],
    [
      '/keys/bundleEndpoint/url',
      {
        ...{ issuer: 'spiffe://example.org', profile: 'spiffe-jwt' },
        keys: { bundleEndpoint: { profile: 'https_web', url: 'https://10.0.0.1' } },
      },
      'MAYFLY_EGRESS_ALLOW',
    ],
  ])('issuerEgressErrors points at %s of %o', (pointer, spec, words) => {
    const errors = issuerEgressErrors(issuer('ci', { issuer: 'https://ci.example', ...spec }).spec, strict);
    expect(errors).toEqual([{ pointer, detail: expect.stringContaining(words) }]);
  });

  it('issuerEgressErrors accepts allowed addresses, and names of issuers that are never fetched', () => {
    const { spec } = issuer('ci', { issuer: 'http://10.0.0.1', keys: { jwksUri: 'https://10.0.0.1/keys' } });
    expect(issuerEgressErrors(spec, new PublicEgress(AllowList.read('10.0.0.0/8')))).toEqual([]);
    expect(issuerEgressErrors(issuer('d', { issuer: 'urn:mayfly:development' }).spec, strict)).toEqual([]);
  });
});
