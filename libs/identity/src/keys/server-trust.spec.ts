import { beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds, Problem } from '@mayfly/kernel';
import { FakeIssuer, TestAuthority } from '@mayfly/testing';
import { identityRefusalReason } from '../identity-refusal.js';
import { IdentityVerifier } from '../identity-verifier.js';
import { IssuerKeySource } from './issuer.key-source.js';
import type { FetchJson, ServerTrust } from './key-source.js';

const start = new Date('2026-11-01T12:00:00Z');
const jwksUri = 'https://ci.example/keys';
const discoveryUri = 'https://ci.example/.well-known/openid-configuration';

let now: Date;
const clock = { now: () => now };
let ci: FakeIssuer;
let web: Map<string, () => unknown>;
let fetched: string[];
let trusted: ServerTrust[];
let files: Map<string, string>;
let keySource: IssuerKeySource;
let verifier: IdentityVerifier;

beforeEach(() => {
  now = start;
  ci = new FakeIssuer({ clock });
  fetched = [];
  web = new Map([[jwksUri, () => ci.jwks()]]);
  trusted = [];
  files = new Map();
  const fetchJson: FetchJson = async (url, trust) => {
    fetched.push(url);
    trusted.push(trust ?? {});
    const answer = web.get(url);
    if (answer === undefined) throw new Error('the issuer is down');
    return answer();
  };
  const readFile = async (path: string): Promise<string> => {
    const text = files.get(path);
    if (text === undefined) throw new Problem('provider_rejected', 'the file cannot be read');
    return text;
  };
  keySource = new IssuerKeySource({ fetchJson, readFile }, clock);
  verifier = new IdentityVerifier(keySource, clock);
  verifier.replaceIssuers([ci.trusted('ci', { keys: { jwksUri } })]);
});

/** Of a new token each time, so that no proof is taken from the cache. */
async function outcome(token = ci.sign({ nonce: String(Math.random()) })): Promise<string | undefined> {
  return verifier.verify(token).then(
    () => 'accepted',
    (error: unknown) => identityRefusalReason(error),
  );
}

function after(seconds: number): void {
  now = addSeconds(start, seconds);
}

describe('keys behind an own authority', () => {
  const authority = new TestAuthority();
  beforeEach(() => {
    verifier.replaceIssuers([ci.trusted('ci', { keys: { discovery: true }, caFile: 'file:/secrets/ca.pem' })]);
    web.set(discoveryUri, () => ({ issuer: ci.issuer, jwks_uri: jwksUri }));
  });

  it('are fetched, and discovered, with the certificates of `caFile`, read again for each fetch', async () => {
    files.set('/secrets/ca.pem', `# ours\n${authority.cert}`);
    expect(await outcome()).toBe('accepted');
    expect(trusted).toEqual([{ authorities: [authority.cert] }, { authorities: [authority.cert] }]);
    const renewed = new TestAuthority();
    files.set('/secrets/ca.pem', renewed.cert);
    after(600);
    expect(await outcome()).toBe('accepted');
    expect(trusted.at(-1)).toEqual({ authorities: [renewed.cert] });
  });

  it.each([
    ['is not there', undefined, '`caFile`: the file cannot be read'],
    [
      'holds no certificate',
      '-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----',
      '`caFile`: it holds no certificate',
    ],
    ['is no text of this kind', 'hello', '`caFile`: it holds neither PEM nor'],
  ])('are not fetched without it when the file %s', async (_, text, words) => {
    if (text !== undefined) files.set('/secrets/ca.pem', text);
    expect(await outcome()).toBe('keys_unavailable');
    expect(fetched).toEqual([]);
    const issuer = ci.trusted('ci', { keys: { discovery: true }, caFile: '/secrets/ca.pem' });
    await expect(keySource.fetchNow(issuer, () => undefined)).rejects.toThrow(words);
  });
});

describe('the bundle of a trust domain', () => {
  const url = 'https://spire.example:8443';
  const spiffeId = 'spiffe://prod.example/spire/server';
  const [first, second, third] = [new TestAuthority(), new TestAuthority(), new TestAuthority()];
  let mesh: FakeIssuer;
  let published: { authorities: readonly TestAuthority[]; hint?: number };
  const bundleOf = (...authorities: readonly TestAuthority[]) => ({
    keys: [
      ...authorities.map(({ bundleEntry }) => bundleEntry),
      ...mesh.jwks().keys.map((key) => ({ ...key, use: 'jwt-svid' })),
    ],
  });
  const trust = (keys: object): void => {
    verifier.replaceIssuers([mesh.trusted('mesh', { profile: 'spiffe-jwt', keys })]);
  };
  const svid = (): string => mesh.sign({ sub: 'spiffe://prod.example/agent', nonce: String(Math.random()) });

  beforeEach(() => {
    mesh = new FakeIssuer({ clock, issuer: 'spiffe://prod.example' });
    published = { authorities: [first, second] };
    web.set(url, () => ({ ...bundleOf(...published.authorities), spiffe_refresh_hint: published.hint }));
  });

  it('is fetched from an https_spiffe endpoint under the given bundle, and then under the one that was fetched', async () => {
    trust({ bundleEndpoint: { profile: 'https_spiffe', url, spiffeId, bundle: bundleOf(first) } });
    expect(await outcome(svid())).toBe('accepted');
    expect(trusted).toEqual([{ spiffeId, authorities: [first.cert] }]);
    published = { authorities: [second] };
    after(600);
    expect(await outcome(svid())).toBe('accepted');
    after(1200);
    expect(await outcome(svid())).toBe('accepted');
    expect(trusted.slice(1)).toEqual([
      { spiffeId, authorities: [first.cert, second.cert] },
      { spiffeId, authorities: [second.cert] },
    ]);
  });

  it('is trusted anew as soon as the given file changes, in PEM or as a bundle', async () => {
    files.set('/run/bundle', first.cert);
    trust({ bundleEndpoint: { profile: 'https_spiffe', url, spiffeId, bundleFile: '/run/bundle' } });
    await outcome(svid());
    files.set('/run/bundle', JSON.stringify(bundleOf(third)));
    after(600);
    await outcome(svid());
    expect(trusted).toEqual([
      { spiffeId, authorities: [first.cert] },
      { spiffeId, authorities: [third.cert] },
    ]);
  });

  it('does not stand for the trust domain of an endpoint that is another one', async () => {
    const elsewhere = 'spiffe://hub.example/bundles';
    trust({ bundleEndpoint: { profile: 'https_spiffe', url, spiffeId: elsewhere, bundle: bundleOf(third) } });
    await outcome(svid());
    after(600);
    await outcome(svid());
    expect(trusted.at(-1)).toEqual({ spiffeId: elsewhere, authorities: [third.cert] });
  });

  it('is not asked for without an authority to know the endpoint by', async () => {
    trust({ bundleEndpoint: { profile: 'https_spiffe', url, spiffeId, bundle: bundleOf() } });
    expect(await outcome(svid())).toBe('keys_unavailable');
    expect(fetched).toEqual([]);
  });

  it.each([
    [60, 60],
    [1, 30],
    [86_400, 600],
    [undefined, 600],
  ])('with the refresh hint %s is kept for %d seconds', async (hint, seconds) => {
    published = { authorities: [], ...(hint === undefined ? {} : { hint }) };
    trust({ bundleEndpoint: { profile: 'https_web', url } });
    await outcome(svid());
    expect(trusted).toEqual([{}]);
    after(seconds - 1);
    await outcome(svid());
    expect(fetched).toHaveLength(1);
    after(seconds);
    await outcome(svid());
    expect(fetched).toHaveLength(2);
  });
});
