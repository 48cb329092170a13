import { beforeEach, describe, expect, it } from '@jest/globals';
import { EgressRefused } from '@mayfly/egress';
import { FakeIssuer, TestClock } from '@mayfly/testing';
import type { TrustedIssuer } from '../issuers/issuer-spec.js';
import { IssuerKeySource } from '../keys/issuer.key-source.js';
import type { IssuerCheck } from './issuer-check.js';
import { examineKeys } from './key-examination.js';
import { examineToken } from './token-examination.js';

const clock = new TestClock();
const now = clock.now();
const nowSeconds = Math.floor(now.getTime() / 1000);
const ci = new FakeIssuer({ clock });
const impostor = new FakeIssuer({ clock });
const mesh = new FakeIssuer({ clock, issuer: 'spiffe://prod.example' });

let answer: () => unknown;
beforeEach(() => {
  answer = () => ci.jwks();
});
/** the clock of the server of the keys minus ours */
let serverAheadSeconds = 0;
const source = new IssuerKeySource(
  {
    fetchJson: async (_url, _trust, onDate) => {
      onDate?.(new Date(clock.now().getTime() + serverAheadSeconds * 1000));
      return answer();
    },
    readFile: () => Promise.reject(new Error('no file')),
  },
  clock,
);
const remote = (spec: object = {}): TrustedIssuer =>
  ci.trusted('ci', { keys: { jwksUri: 'https://ci.example/keys' }, ...spec });

/** The checks that are not ok: their names and details. */
const wrongIn = (checks: readonly IssuerCheck[]) =>
  Object.fromEntries(
    checks
      .filter(({ outcome }) => outcome !== 'ok')
      .map(({ name, outcome, detail }) => [name, `${outcome}: ${detail ?? ''}`]),
  );

async function wrongWith(token: string, issuer = remote()): Promise<Record<string, string>> {
  const { keys } = await examineKeys(source, issuer);
  return wrongIn(await examineToken(token, { issuer, keys, now }));
}

describe('the examination of keys', () => {
  it('the examination of keys lists the keys that were just fetched, and counts those that are for something else', async () => {
    answer = () => ({ keys: [...ci.jwks().keys, { kty: 'oct', k: 'AA' }] });
    const { checks, keys } = await examineKeys(source, remote());
    expect(checks.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['fetch the keys', 'ok'],
      ['read the keys', 'ok'],
      ['the clocks agree', 'ok'],
    ]);
    expect(checks.at(-2)?.detail).toMatch(/\(ES256\); skipped: 1/);
    expect(keys).toBeDefined();
  });

  it.each([
    [90, /(89|90|91) s ahead of/],
    [-90, /(89|90|91) s behind/],
  ])('the examination of keys fails when the clock of their server is %s s off, and says so', async (ahead, words) => {
    serverAheadSeconds = ahead;
    answer = () => ci.jwks();
    const { checks, keys } = await examineKeys(source, remote());
    serverAheadSeconds = 0;
    expect(checks.at(-1)).toMatchObject({
      name: 'the clocks agree',
      outcome: 'failed',
      detail: expect.stringMatching(words),
    });
    expect(keys).toBeDefined();
    const offset = source.clockOffsets().get(ci.issuer)!;
    expect(Math.abs(offset - ahead)).toBeLessThanOrEqual(1);
  });

  it.each<[string, () => unknown, string, RegExp]>([
    [
      'refused by the egress rules',
      () => raise(new EgressRefused('private')),
      'fetch the keys',
      /failed: .*MAYFLY_EGRESS_ALLOW/,
    ],
    [
      'not reachable',
      () => raise(new Error('nothing listens there')),
      'fetch the keys',
      /failed: nothing listens there/,
    ],
    ['no key set', () => ({}), 'read the keys', /failed: it is not a JWKS/],
    ['empty', () => ({ keys: [] }), 'read the keys', /missing: no key can verify/],
    [
      'for another algorithm',
      () => rsaKeys(),
      'read the keys',
      /missing: .*none is for the declared `algorithms`, ES256/,
    ],
  ])('the examination of keys reports that they are %s', async (_, answers, name, words) => {
    answer = answers;
    const wrong = wrongIn((await examineKeys(source, remote())).checks);
    expect(Object.keys(wrong)).toEqual([name]);
    expect(wrong[name]).toMatch(words);
  });
});

describe('the examination of a token', () => {
  it('the examination of a token finds nothing wrong with a good one', async () => {
    expect(await wrongWith(ci.sign())).toEqual({});
  });

  it.each<[string, string, string, RegExp]>([
    [
      'of another issuer',
      ci.sign({ iss: 'https://ci.example/' }),
      'iss',
      /the token has `iss` `https:\/\/ci.example\/`, the document `https:\/\/ci.example`/,
    ],
    ['of another type', ci.sign({}, { typ: 'logout+jwt' }), 'typ', /`logout\+jwt`; the document accepts jwt/],
    ['that brings its own keys', ci.sign({}, { jku: 'https://evil.example' }), 'header', /`jku`/],
    [
      'for somebody else',
      ci.sign({ aud: ['vault', 'other'] }),
      'aud',
      /for `vault`, `other`; the document has `audiences` `mayfly`/,
    ],
    ['that expired', ci.sign({ iat: nowSeconds - 120, exp: nowSeconds - 60 }), 'exp', /it expired at 20/],
    ['that is not valid yet', ci.sign({ nbf: nowSeconds + 60 }), 'nbf', /it is valid from 20/],
    ['from the future', ci.sign({ iat: nowSeconds + 60 }), 'lifetime', /in the future/],
    [
      'that lives too long',
      ci.sign({ exp: nowSeconds + 7200 }),
      'lifetime',
      /is 7200 s .*`maxLifetimeSeconds` is 3600/,
    ],
    ['without a subject', ci.sign({ sub: undefined }), 'claims', /lacks `sub`/],
  ])('the examination of a token names the fault of a token %s', async (_, token, name, words) => {
    const wrong = await wrongWith(token);
    expect(wrong[name]).toMatch(words);
    expect(Object.keys(wrong).filter((each) => each !== name && each !== 'profile')).toEqual([]);
  });

  it('the examination of a token lists all faults at once', async () => {
    const token = ci.sign({ aud: 'vault', iss: 'https://other.example', exp: nowSeconds - 60, iat: nowSeconds - 120 });
    expect(Object.keys(await wrongWith(token))).toEqual(['iss', 'aud', 'exp']);
  });

  it('the examination of a token tells a signature by an unknown key from one that is altered, and skips it without keys', async () => {
    expect(await wrongWith(ci.sign({}, { kid: 'old' }))).toEqual({
      kid: expect.stringContaining('`old` is not among the published keys'),
      signature: expect.stringContaining('skipped'),
    });
    expect(await wrongWith(impostor.sign())).toEqual({ signature: expect.stringContaining('signed with another key') });
    const [head = '', claims = ''] = ci.sign().split('.');
    const signature = ci.sign({ jti: 'another' }).split('.')[2] ?? '';
    expect(await wrongWith(`${head}.${claims}.${signature}`)).toEqual({ signature: expect.stringMatching(/altered/) });
    answer = () => raise(new Error('down'));
    expect(await wrongWith(ci.sign())).toMatchObject({ kid: expect.stringContaining('skipped') });
  });

  it('the examination of a token knows the rules of a trust domain', async () => {
    answer = () => mesh.jwks();
    const issuer = mesh.trusted('mesh', { profile: 'spiffe-jwt', keys: { jwksUri: 'https://prod.example/b' } });
    const svid = (claims: object) => wrongWith(mesh.sign({ iss: undefined, ...claims }), issuer);
    expect(await svid({ sub: 'spiffe://prod.example/agent' })).toEqual({});
    expect(await svid({ sub: 'spiffe://other.example/agent' })).toMatchObject({
      iss: expect.stringContaining('not in the trust domain `spiffe://prod.example`'),
    });
  });

  it('the examination of a token wants a `jti` where tokens are used once', async () => {
    const wrong = await wrongWith(ci.sign({ jti: undefined }), remote({ replay: 'single-use' }));
    expect(wrong).toEqual({ claims: expect.stringContaining('`jti`') });
  });

  it.each([
    ['a.b', 'not a compact JWS'],
    ['x'.repeat(17_000), 'longer than 16 KiB'],
    [ci.signText('{"alg":"ES256","alg":"ES256"}', '{}'), 'twice'],
    [ci.sign({ sub: 'José' }), '`sub` has a form that is not accepted: printable ASCII'],
    [ci.sign({ exp: 'soon' }), '`exp` has a form that is not accepted: a number'],
  ])('the examination of a token reports a text that is not a token', async (token, words) => {
    expect(await wrongWith(token)).toEqual({ 'read the token': expect.stringContaining(words) });
  });

  it('the examination of a token shows no signature, and no control characters of a stranger', async () => {
    const token = ci.sign({ aud: 'a\u001b[31m`x' });
    const checks = JSON.stringify(await examineToken(token, { issuer: remote(), keys: undefined, now }));
    expect(checks).not.toContain(token.split('.')[2]);
    expect(checks).toContain('`a?[31m?x`');
  });
});

function raise(error: Error): never {
  throw error;
}

function rsaKeys() {
  return new FakeIssuer({ clock, algorithm: 'RS256' }).jwks();
}
