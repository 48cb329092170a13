import { beforeEach, describe, expect, it } from '@jest/globals';
import { EgressRefused } from '@mayfly/egress';
import { DISCOVERY_URI, FakeIssuer, IssuerWeb, JWKS_URI } from '@mayfly/testing';

let web: IssuerWeb;

beforeEach(() => {
  web = new IssuerWeb();
});

describe('keys at a URL', () => {
  it('keys at a URL are fetched once for a hundred first tokens at once', async () => {
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => web.outcome()));
    expect(new Set(outcomes)).toEqual(new Set(['accepted']));
    expect(web.fetched).toEqual([JWKS_URI]);
  });

  it.each([
    ['an algorithm that is not trusted', 'algorithm', () => web.ci.sign({}, { alg: 'RS256' })],
    ['an issuer that nobody trusts', 'unknown_issuer', () => web.ci.sign({ iss: 'https://evil.example' })],
    ['a header of an unknown extension', 'critical_header', () => web.ci.sign({}, { crit: ['x'] })],
    ['a claim twice', 'duplicate_claim', () => web.ci.signText('{"alg":"ES256","alg":"ES256"}', '{}')],
  ])('a token with %s causes no fetch of keys', async (_, reason, token) => {
    expect(await web.outcome(token())).toBe(reason);
    expect(web.fetched).toEqual([]);
  });

  it('keys at a URL are fetched from where the issuer was declared, wherever a token says', async () => {
    const token = web.ci.sign({}, { jku: 'https://evil.example/keys', x5u: 'https://evil.example/x' });
    expect(await web.outcome(token)).toBe('header_not_allowed');
    expect(web.fetched).toEqual([JWKS_URI]);
  });

  it('keys at a URL are kept for ten minutes', async () => {
    await web.outcome();
    web.after(599);
    await web.outcome();
    expect(web.fetched).toHaveLength(1);
    web.after(600);
    await web.outcome();
    expect(web.fetched).toHaveLength(2);
  });

  it('keys at a URL are looked for again after 30 seconds when a kid is new, once for all who ask', async () => {
    await web.outcome();
    web.ci.rotate();
    web.after(29);
    expect(await web.outcome()).toBe('unknown_key');
    expect(web.fetched).toHaveLength(1);
    web.after(30);
    expect(await Promise.all([web.outcome(), web.outcome(), web.outcome()])).toEqual([
      'accepted',
      'accepted',
      'accepted',
    ]);
    expect(web.fetched).toHaveLength(2);
  });

  it('keys at a URL cost one fetch in 30 seconds however many kids are made up', async () => {
    await web.outcome();
    web.after(30);
    const forged = Array.from({ length: 50 }, (_, n) => web.outcome(web.ci.sign({}, { kid: `made-up-${String(n)}` })));
    expect(new Set(await Promise.all(forged))).toEqual(new Set(['unknown_key']));
    expect(web.fetched).toHaveLength(2);
    for (let n = 0; n < 20; n++) await web.outcome(web.ci.sign({}, { kid: `later-${String(n)}` }));
    expect(web.fetched).toHaveLength(2);
  });

  it('keys at a URL go with the issuer: a key that is no longer published verifies nothing more', async () => {
    const old = web.ci.sign({ exp: web.clock.now().getTime() / 1000 + 3000 });
    await web.outcome(old);
    web.ci.rotate();
    web.after(600);
    expect(await web.outcome(old)).toBe('unknown_key');
  });

  it('keys at a URL survive a change of other issuers', async () => {
    await web.outcome();
    web.verifier.replaceIssuers([
      web.ci.trusted('ci', { keys: { jwksUri: JWKS_URI } }),
      web.ci.trusted('cd', { issuer: 'https://cd.example' }),
    ]);
    expect(await web.outcome()).toBe('accepted');
    expect(web.fetched).toHaveLength(1);
  });
});

describe('an issuer that hangs', () => {
  let answer: (keys: unknown) => void;
  beforeEach(async () => {
    await web.outcome();
    web.answers.set(JWKS_URI, () => new Promise((resolve) => (answer = resolve)));
  });

  it('an issuer that hangs delays no caller while old keys serve, and its late answer counts', async () => {
    web.after(600);
    expect(await Promise.all([web.outcome(), web.outcome()])).toEqual(['accepted', 'accepted']);
    expect(await web.outcome()).toBe('accepted');
    expect(web.fetched).toHaveLength(2);
    const old = web.ci.sign({ nonce: 'old' });
    web.ci.rotate();
    answer(web.ci.jwks());
    expect(await web.outcome()).toBe('accepted');
    expect(await web.outcome(old)).toBe('unknown_key');
  });

  it.each([
    ['the old keys are past the bound', 1500, () => web.ci.sign({ nonce: 'late' })],
    ['a key is not held', 600, () => (web.ci.rotate(), web.ci.sign())],
  ])('an issuer that hangs is waited for when %s', async (_, seconds, sign) => {
    web.after(seconds);
    const asked = web.outcome(sign());
    await until(() => web.fetched.length === 2);
    answer(web.ci.jwks());
    expect(await asked).toBe('accepted');
  });
});

describe('an issuer that is down', () => {
  beforeEach(async () => {
    await web.outcome();
    web.answers.clear();
  });

  it('the old keys of an issuer that is down serve up to the bound, and none after it', async () => {
    web.after(600 + 899);
    expect(await web.outcome()).toBe('accepted');
    web.after(600 + 900);
    expect(await web.outcome()).toBe('keys_unavailable');
  });

  it('an issuer that is down is unavailable, not unauthenticated, past the bound', async () => {
    web.after(1500);
    await expect(web.verifier.verify(web.ci.sign())).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 5,
    });
  });

  it('an issuer that is down is asked every 30 seconds while old keys serve', async () => {
    web.after(600);
    await web.outcome();
    web.after(629);
    await web.outcome();
    expect(web.fetched).toHaveLength(2);
    web.after(630);
    await web.outcome();
    expect(web.fetched).toHaveLength(3);
  });

  it('an issuer that is down is trusted again when it is back', async () => {
    web.after(2000);
    expect(await web.outcome()).toBe('keys_unavailable');
    web.answers.set(JWKS_URI, () => web.ci.jwks());
    web.after(2030);
    expect(await web.outcome()).toBe('accepted');
  });

  it('an issuer that is down has no old keys where none are allowed', async () => {
    web.answers.set(JWKS_URI, () => web.ci.jwks());
    web.verifier.replaceIssuers([web.ci.trusted('ci', { keys: { jwksUri: JWKS_URI }, staleKeysSeconds: 0 })]);
    await web.outcome();
    web.answers.clear();
    web.after(600);
    expect(await web.outcome()).toBe('keys_unavailable');
  });

  it('an issuer that is down serves its old keys too when it answers with nonsense', async () => {
    web.answers.set(JWKS_URI, () => ({ error: 'maintenance' }));
    web.after(700);
    expect(await web.outcome()).toBe('accepted');
  });
});

describe('an issuer that was never reached', () => {
  it('an issuer that was never reached is unavailable and asked again after five seconds', async () => {
    web.answers.clear();
    expect(await web.outcome()).toBe('keys_unavailable');
    web.after(4);
    expect(await web.outcome()).toBe('keys_unavailable');
    expect(web.fetched).toHaveLength(1);
    web.answers.set(JWKS_URI, () => web.ci.jwks());
    web.after(5);
    expect(await web.outcome()).toBe('accepted');
  });

  it('an issuer that was never reached fails every one of the tokens that wait for it', async () => {
    web.answers.clear();
    expect(await Promise.all([web.outcome(), web.outcome()])).toEqual(['keys_unavailable', 'keys_unavailable']);
    expect(web.fetched).toHaveLength(1);
  });
});

describe('discovery', () => {
  beforeEach(() => {
    web.verifier.replaceIssuers([web.ci.trusted('ci', { keys: { discovery: true } })]);
    web.answers.set(DISCOVERY_URI, () => ({ issuer: web.ci.issuer, jwks_uri: JWKS_URI, scopes_supported: [] }));
  });

  it('discovery finds the keys', async () => {
    expect(await web.outcome()).toBe('accepted');
    expect(web.fetched).toEqual([DISCOVERY_URI, JWKS_URI]);
  });

  it('discovery puts one slash between an issuer and the well-known path', async () => {
    const tenant = new FakeIssuer({ clock: web.clock, issuer: 'https://id.example/tenant/' });
    web.verifier.replaceIssuers([tenant.trusted('ci', { keys: { discovery: true } })]);
    await web.outcome(tenant.sign());
    expect(web.fetched).toEqual(['https://id.example/tenant/.well-known/openid-configuration']);
  });

  it.each([
    ['another issuer', 'https://evil.example'],
    ['the issuer with a slash more', 'https://ci.example/'],
    ['the issuer in capitals', 'https://CI.example'],
  ])('discovery is refused when the document names %s', async (_, issuer) => {
    web.answers.set(DISCOVERY_URI, () => ({ issuer, jwks_uri: JWKS_URI }));
    expect(await web.outcome()).toBe('keys_unavailable');
    expect(web.fetched).toEqual([DISCOVERY_URI]);
  });

  it('discovery closes an issuer that names another one later: its old keys are not used either', async () => {
    await web.outcome();
    web.answers.set(DISCOVERY_URI, () => ({ issuer: 'https://evil.example', jwks_uri: JWKS_URI }));
    web.after(600);
    expect(await web.outcome()).toBe('keys_unavailable');
  });

  it.each([['file:///etc/passwd'], ['https://me:pw@ci.example/keys'], ['keys']])(
    'discovery does not follow a jwks_uri of %s',
    async (uri) => {
      web.answers.set(DISCOVERY_URI, () => ({ issuer: web.ci.issuer, jwks_uri: uri }));
      expect(await web.outcome()).toBe('keys_unavailable');
      expect(web.fetched).toEqual([DISCOVERY_URI]);
    },
  );
});

describe('keys that may not be fetched', () => {
  it('a refused key address is no outage: the refusal names rule and setting and gives no retry time', async () => {
    web.answers.set(JWKS_URI, () => {
      throw new EgressRefused('private');
    });
    const refused = web.verifier.verify(web.ci.sign());
    await expect(refused).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: undefined });
    await expect(refused).rejects.toThrow(/rule `private`.*MAYFLY_EGRESS_ALLOW/);
    await expect(refused).rejects.not.toThrow('try again');
    expect(await web.outcome()).toBe('keys_refused');
  });
});

describe('a fetch for a test of the issuer', () => {
  it('a fetch for a test of the issuer tells its steps, asks each time, and leaves what serves callers alone', async () => {
    await web.outcome();
    web.answers.set(DISCOVERY_URI, () => ({ issuer: web.ci.issuer, jwks_uri: JWKS_URI }));
    const steps: string[] = [];
    const issuer = web.ci.trusted('ci', { keys: { discovery: true } });
    for (let i = 0; i < 2; i += 1) await web.keySource.fetchNow(issuer, (step) => void steps.push(step));
    expect(steps.slice(0, 4)).toEqual([
      'fetch the discovery document',
      'fetch the keys',
      'read the keys',
      'fetch the discovery document',
    ]);
    web.answers.delete(JWKS_URI);
    await expect(web.keySource.fetchNow(issuer, () => undefined)).rejects.toThrow('the issuer is down');
    expect(await web.outcome()).toBe('accepted');
  });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}
