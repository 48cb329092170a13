import { beforeEach, describe, expect, it } from '@jest/globals';
import { DISCOVERY_URI, FakeIssuer, IssuerWeb, JWKS_URI, TestAuthority } from '@mayfly/testing';

let web: IssuerWeb;

beforeEach(() => {
  web = new IssuerWeb();
});

describe('keys behind an own authority', () => {
  const authority = new TestAuthority();
  beforeEach(() => {
    web.verifier.replaceIssuers([web.ci.trusted('ci', { keys: { discovery: true }, caFile: 'file:/secrets/ca.pem' })]);
    web.answers.set(DISCOVERY_URI, () => ({ issuer: web.ci.issuer, jwks_uri: JWKS_URI }));
  });

  it('keys behind an own authority are fetched, and discovered, with the certificates of `caFile`, read again for each fetch', async () => {
    web.files.set('/secrets/ca.pem', `# ours\n${authority.cert}`);
    expect(await web.outcome()).toBe('accepted');
    expect(web.trusted).toEqual([{ authorities: [authority.cert] }, { authorities: [authority.cert] }]);
    const renewed = new TestAuthority();
    web.files.set('/secrets/ca.pem', renewed.cert);
    web.after(600);
    expect(await web.outcome()).toBe('accepted');
    expect(web.trusted.at(-1)).toEqual({ authorities: [renewed.cert] });
  });

  it.each([
    ['is not there', undefined, '`caFile`: the file cannot be read'],
    [
      'holds no certificate',
      '-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----',
      '`caFile`: it has no certificate',
    ],
    ['is no text of this kind', 'hello', '`caFile`: it is neither PEM nor'],
  ])('keys behind an own authority are not fetched without it when the file %s', async (_, text, words) => {
    if (text !== undefined) web.files.set('/secrets/ca.pem', text);
    expect(await web.outcome()).toBe('keys_unavailable');
    expect(web.fetched).toEqual([]);
    const issuer = web.ci.trusted('ci', { keys: { discovery: true }, caFile: '/secrets/ca.pem' });
    await expect(web.keySource.fetchNow(issuer, () => undefined)).rejects.toThrow(words);
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
    web.verifier.replaceIssuers([mesh.trusted('mesh', { profile: 'spiffe-jwt', keys })]);
  };
  const svid = (): string => mesh.sign({ sub: 'spiffe://prod.example/agent', nonce: String(Math.random()) });

  beforeEach(() => {
    mesh = new FakeIssuer({ clock: web.clock, issuer: 'spiffe://prod.example' });
    published = { authorities: [first, second] };
    web.answers.set(url, () => ({ ...bundleOf(...published.authorities), spiffe_refresh_hint: published.hint }));
  });

  it('the bundle of a trust domain is fetched from an https_spiffe endpoint under the given bundle, and then under the one that was fetched', async () => {
    trust({ bundleEndpoint: { profile: 'https_spiffe', url, spiffeId, bundle: bundleOf(first) } });
    expect(await web.outcome(svid())).toBe('accepted');
    expect(web.trusted).toEqual([{ spiffeId, authorities: [first.cert] }]);
    published = { authorities: [second] };
    web.after(600);
    expect(await web.outcome(svid())).toBe('accepted');
    web.after(1200);
    expect(await web.outcome(svid())).toBe('accepted');
    expect(web.trusted.slice(1)).toEqual([
      { spiffeId, authorities: [first.cert, second.cert] },
      { spiffeId, authorities: [second.cert] },
    ]);
  });

  it('the bundle of a trust domain is trusted anew as soon as the given file changes, in PEM or as a bundle', async () => {
    web.files.set('/run/bundle', first.cert);
    trust({ bundleEndpoint: { profile: 'https_spiffe', url, spiffeId, bundleFile: '/run/bundle' } });
    await web.outcome(svid());
    web.files.set('/run/bundle', JSON.stringify(bundleOf(third)));
    web.after(600);
    await web.outcome(svid());
    expect(web.trusted).toEqual([
      { spiffeId, authorities: [first.cert] },
      { spiffeId, authorities: [third.cert] },
    ]);
  });

  it('the bundle of one trust domain does not authenticate the endpoint of another', async () => {
    const elsewhere = 'spiffe://hub.example/bundles';
    trust({ bundleEndpoint: { profile: 'https_spiffe', url, spiffeId: elsewhere, bundle: bundleOf(third) } });
    await web.outcome(svid());
    web.after(600);
    await web.outcome(svid());
    expect(web.trusted.at(-1)).toEqual({ spiffeId: elsewhere, authorities: [third.cert] });
  });

  it('the bundle of a trust domain is not asked for without an authority to know the endpoint by', async () => {
    trust({ bundleEndpoint: { profile: 'https_spiffe', url, spiffeId, bundle: bundleOf() } });
    expect(await web.outcome(svid())).toBe('keys_unavailable');
    expect(web.fetched).toEqual([]);
  });

  it.each([
    [60, 60],
    [1, 30],
    [86_400, 600],
    [undefined, 600],
  ])('the bundle of a trust domain with the refresh hint %s is kept for %d seconds', async (hint, seconds) => {
    published = { authorities: [], ...(hint === undefined ? {} : { hint }) };
    trust({ bundleEndpoint: { profile: 'https_web', url } });
    await web.outcome(svid());
    expect(web.trusted).toEqual([{}]);
    web.after(seconds - 1);
    await web.outcome(svid());
    expect(web.fetched).toHaveLength(1);
    web.after(seconds);
    await web.outcome(svid());
    expect(web.fetched).toHaveLength(2);
  });
});
