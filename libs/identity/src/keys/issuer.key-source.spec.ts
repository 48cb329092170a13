import { beforeEach, describe, expect, it } from '@jest/globals';
import { EgressRefused } from '@mayfly/egress';
import { addSeconds, Problem } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
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

describe('keys at a URL', () => {
  it('are fetched once for a hundred first tokens at once', async () => {
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => outcome()));
    expect(new Set(outcomes)).toEqual(new Set(['accepted']));
    expect(fetched).toEqual([jwksUri]);
  });

  it.each([
    ['an algorithm that is not trusted', 'algorithm', () => ci.sign({}, { alg: 'RS256' })],
    ['an issuer that nobody trusts', 'unknown_issuer', () => ci.sign({ iss: 'https://evil.example' })],
    ['a header of an unknown extension', 'critical_header', () => ci.sign({}, { crit: ['x'] })],
    ['a claim twice', 'duplicate_claim', () => ci.signText('{"alg":"ES256","alg":"ES256"}', '{}')],
  ])('are not even asked for by a token with %s', async (_, reason, token) => {
    expect(await outcome(token())).toBe(reason);
    expect(fetched).toEqual([]);
  });

  it('are fetched from where the issuer was declared, wherever a token says', async () => {
    const token = ci.sign({}, { jku: 'https://evil.example/keys', x5u: 'https://evil.example/x' });
    expect(await outcome(token)).toBe('header_not_allowed');
    expect(fetched).toEqual([jwksUri]);
  });

  it('are kept for ten minutes', async () => {
    await outcome();
    after(599);
    await outcome();
    expect(fetched).toHaveLength(1);
    after(600);
    await outcome();
    expect(fetched).toHaveLength(2);
  });

  it('are looked for again after 30 seconds when a kid is new, once for all who ask', async () => {
    await outcome();
    ci.rotate();
    after(29);
    expect(await outcome()).toBe('unknown_key');
    expect(fetched).toHaveLength(1);
    after(30);
    expect(await Promise.all([outcome(), outcome(), outcome()])).toEqual(['accepted', 'accepted', 'accepted']);
    expect(fetched).toHaveLength(2);
  });

  it('cost one fetch in 30 seconds however many kids are made up', async () => {
    await outcome();
    after(30);
    const forged = Array.from({ length: 50 }, (_, n) => outcome(ci.sign({}, { kid: `made-up-${String(n)}` })));
    expect(new Set(await Promise.all(forged))).toEqual(new Set(['unknown_key']));
    expect(fetched).toHaveLength(2);
    for (let n = 0; n < 20; n++) await outcome(ci.sign({}, { kid: `later-${String(n)}` }));
    expect(fetched).toHaveLength(2);
  });

  it('go with the issuer: a key that is no longer published verifies nothing more', async () => {
    const old = ci.sign({ exp: start.getTime() / 1000 + 3000 });
    await outcome(old);
    ci.rotate();
    after(600);
    expect(await outcome(old)).toBe('unknown_key');
  });

  it('survive a change of other issuers', async () => {
    await outcome();
    verifier.replaceIssuers([
      ci.trusted('ci', { keys: { jwksUri } }),
      ci.trusted('cd', { issuer: 'https://cd.example' }),
    ]);
    expect(await outcome()).toBe('accepted');
    expect(fetched).toHaveLength(1);
  });
});

describe('an issuer that is down', () => {
  beforeEach(async () => {
    await outcome();
    web.clear();
  });

  it('is served by its old keys up to the bound, then by nobody', async () => {
    after(600 + 899);
    expect(await outcome()).toBe('accepted');
    after(600 + 900);
    expect(await outcome()).toBe('keys_unavailable');
  });

  it('is unavailable, not unauthenticated, past the bound', async () => {
    after(1500);
    await expect(verifier.verify(ci.sign())).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 });
  });

  it('is asked every 30 seconds while old keys serve', async () => {
    after(600);
    await outcome();
    after(629);
    await outcome();
    expect(fetched).toHaveLength(2);
    after(630);
    await outcome();
    expect(fetched).toHaveLength(3);
  });

  it('is trusted again when it is back', async () => {
    after(2000);
    expect(await outcome()).toBe('keys_unavailable');
    web.set(jwksUri, () => ci.jwks());
    after(2030);
    expect(await outcome()).toBe('accepted');
  });

  it('has no old keys where none are allowed', async () => {
    web.set(jwksUri, () => ci.jwks());
    verifier.replaceIssuers([ci.trusted('ci', { keys: { jwksUri }, staleKeysSeconds: 0 })]);
    await outcome();
    web.clear();
    after(600);
    expect(await outcome()).toBe('keys_unavailable');
  });

  it('serves its old keys too when it answers with nonsense', async () => {
    web.set(jwksUri, () => ({ error: 'maintenance' }));
    after(700);
    expect(await outcome()).toBe('accepted');
  });
});

describe('an issuer that was never reached', () => {
  it('is unavailable and asked again after five seconds', async () => {
    web.clear();
    expect(await outcome()).toBe('keys_unavailable');
    after(4);
    expect(await outcome()).toBe('keys_unavailable');
    expect(fetched).toHaveLength(1);
    web.set(jwksUri, () => ci.jwks());
    after(5);
    expect(await outcome()).toBe('accepted');
  });

  it('fails every one of the tokens that wait for it', async () => {
    web.clear();
    expect(await Promise.all([outcome(), outcome()])).toEqual(['keys_unavailable', 'keys_unavailable']);
    expect(fetched).toHaveLength(1);
  });
});

describe('discovery', () => {
  beforeEach(() => {
    verifier.replaceIssuers([ci.trusted('ci', { keys: { discovery: true } })]);
    web.set(discoveryUri, () => ({ issuer: ci.issuer, jwks_uri: jwksUri, scopes_supported: [] }));
  });

  it('finds the keys', async () => {
    expect(await outcome()).toBe('accepted');
    expect(fetched).toEqual([discoveryUri, jwksUri]);
  });

  it('puts one slash between an issuer and the well-known path', async () => {
    const tenant = new FakeIssuer({ clock, issuer: 'https://id.example/tenant/' });
    verifier.replaceIssuers([tenant.trusted('ci', { keys: { discovery: true } })]);
    await outcome(tenant.sign());
    expect(fetched).toEqual(['https://id.example/tenant/.well-known/openid-configuration']);
  });

  it.each([
    ['another issuer', 'https://evil.example'],
    ['the issuer with a slash more', 'https://ci.example/'],
    ['the issuer in capitals', 'https://CI.example'],
  ])('is refused when the document names %s', async (_, issuer) => {
    web.set(discoveryUri, () => ({ issuer, jwks_uri: jwksUri }));
    expect(await outcome()).toBe('keys_unavailable');
    expect(fetched).toEqual([discoveryUri]);
  });

  it('closes an issuer that names another one later: its old keys are not used either', async () => {
    await outcome();
    web.set(discoveryUri, () => ({ issuer: 'https://evil.example', jwks_uri: jwksUri }));
    after(600);
    expect(await outcome()).toBe('keys_unavailable');
  });

  it.each([['file:///etc/passwd'], ['https://me:pw@ci.example/keys'], ['keys']])(
    'does not follow a jwks_uri of %s',
    async (uri) => {
      web.set(discoveryUri, () => ({ issuer: ci.issuer, jwks_uri: uri }));
      expect(await outcome()).toBe('keys_unavailable');
      expect(fetched).toEqual([discoveryUri]);
    },
  );
});

describe('keys that may not be fetched', () => {
  it('are no outage: the refusal names rule and setting, and asks nobody to try again', async () => {
    web.set(jwksUri, () => {
      throw new EgressRefused('private');
    });
    const refused = verifier.verify(ci.sign());
    await expect(refused).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: undefined });
    await expect(refused).rejects.toThrow(/rule `private`.*MAYFLY_EGRESS_ALLOW/);
    await expect(refused).rejects.not.toThrow('try again');
    expect(await outcome()).toBe('keys_refused');
  });
});

describe('a fetch for a test of the issuer', () => {
  it('tells its steps, asks each time, and leaves what serves callers alone', async () => {
    await outcome();
    web.set(discoveryUri, () => ({ issuer: ci.issuer, jwks_uri: jwksUri }));
    const steps: string[] = [];
    const issuer = ci.trusted('ci', { keys: { discovery: true } });
    for (let i = 0; i < 2; i += 1) await keySource.fetchNow(issuer, (step) => void steps.push(step));
    expect(steps.slice(0, 4)).toEqual([
      'fetch the discovery document',
      'fetch the keys',
      'read the keys',
      'fetch the discovery document',
    ]);
    web.delete(jwksUri);
    await expect(keySource.fetchNow(issuer, () => undefined)).rejects.toThrow('the issuer is down');
    expect(await outcome()).toBe('accepted');
  });
});
