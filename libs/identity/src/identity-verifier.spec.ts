import { beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
import fc from 'fast-check';
import { boundClaimsOf } from './agents/bound-claims.js';
import { identityRefusalReason } from './identity-refusal.js';
import { IdentityVerifier } from './identity-verifier.js';
import type { TrustedIssuer } from './issuers/issuer-spec.js';
import { KeySet } from './keys/key-set.js';
import type { KeySource } from './keys/key-source.js';

const start = new Date('2026-11-01T12:00:00Z');
let now = start;
const clock = { now: () => now };
const ci = new FakeIssuer({ clock });

/** Counts how often keys are asked for: once for each token that is really verified. */
class CountingKeySource implements KeySource {
  asked = 0;
  refreshed = 0;

  async current({ spec }: TrustedIssuer): Promise<KeySet> {
    this.asked += 1;
    return KeySet.read(spec.keys.jwks, spec.profile);
  }

  async refresh(issuer: TrustedIssuer): Promise<KeySet> {
    this.refreshed += 1;
    return KeySet.read(issuer.spec.keys.jwks ?? ci.jwks(), issuer.spec.profile);
  }
}

let keySource: CountingKeySource;
let verifier: IdentityVerifier;

beforeEach(() => {
  now = start;
  keySource = new CountingKeySource();
  verifier = new IdentityVerifier(keySource, clock);
  verifier.replaceIssuers([ci.trusted('ci')]);
});

/** The bound claims of `replaceIssuers` where an agent of `ci` is bound to these claims. */
function boundTo(...claims: string[]) {
  return boundClaimsOf([{ issuer: 'ci', claims: Object.fromEntries(claims.map((name) => [name, 'x'])) }]);
}

async function reasonFor(token: string): Promise<string | undefined> {
  return verifier.verify(token).then(
    () => 'accepted',
    (error: unknown) => identityRefusalReason(error),
  );
}

describe('a verified identity', () => {
  it('a verified identity says who was proven, by whom and until when, and is frozen', async () => {
    verifier.replaceIssuers([ci.trusted('ci')], boundTo('project', 'groups', 'seats'));
    const told = { jti: 'one', project: 'crm', groups: ['a'], seats: 3, unbound: 'x' };
    const identity = await verifier.verify(ci.sign(told));
    expect(identity).toEqual({
      issuer: 'ci',
      issuerUrl: 'https://ci.example',
      acceptedBy: ['ci'],
      issuerNames: ['ci'],
      subject: 'support-agent',
      profile: 'oidc',
      kind: 'workload',
      roles: [],
      groups: [],
      fitsRole: false,
      issuedAt: start,
      expiresAt: addSeconds(start, 300),
      jti: 'one',
      singleUse: false,
      claims: { project: 'crm', seats: 3 },
    });
    expect(Object.isFrozen(identity) && Object.isFrozen(identity.claims) && Object.isFrozen(identity.roles)).toBe(true);
  });

  it('a verified identity holds no part of the token', async () => {
    const token = ci.sign();
    const shown = JSON.stringify(await verifier.verify(token));
    for (const segment of token.split('.')) expect(shown).not.toContain(segment);
  });

  it('a verified identity takes the time of verification for a JWT-SVID without `iat`', async () => {
    const mesh = new FakeIssuer({ clock, issuer: 'spiffe://prod.example' });
    verifier.replaceIssuers([mesh.trusted('mesh', { profile: 'spiffe-jwt' })]);
    const token = mesh.sign({ iss: undefined, iat: undefined, sub: 'spiffe://prod.example/agent' });
    await expect(verifier.verify(token)).resolves.toMatchObject({ issuedAt: start });
  });

  it('a verified identity demands `jti` where a token may be used once', async () => {
    verifier.replaceIssuers([ci.trusted('ci', { replay: 'single-use' })]);
    expect(await reasonFor(ci.sign())).toBe('missing_claim');
    await expect(verifier.verify(ci.sign())).rejects.toThrow('`jti`');
    await expect(verifier.verify(ci.sign({ jti: 'one' }))).resolves.toMatchObject({ singleUse: true, jti: 'one' });
  });

  it('a token may be reused when its issuer is declared so', async () => {
    verifier.replaceIssuers([ci.trusted('ci', { replay: 'reusable' })]);
    await expect(verifier.verify(ci.sign())).resolves.toMatchObject({ singleUse: false });
  });
});

describe('people', () => {
  const roles = {
    auditor: { claim: 'groups', values: ['audit', 'revision'] },
    platform: { claim: 'groups', values: ['platform'] },
    operator: { claim: 'constructor', values: ['x'] },
  };

  it.each([
    ['one group', { groups: ['audit'] }, ['auditor']],
    ['several groups', { groups: ['platform', 'other', 'revision'] }, ['auditor', 'platform']],
    ['a group that is no list', { groups: 'platform' }, ['platform']],
    ['no group', {}, []],
    ['a group that ours is the beginning of', { groups: ['audit-evil'] }, []],
    ['groups within a group', { groups: [['audit']] }, []],
  ])('people have the roles that their claims give: %s', async (_, claims, expected) => {
    verifier.replaceIssuers([ci.trusted('staff', { roles })]);
    const identity = await verifier.verify(ci.sign({ ...claims, email: 'somebody@example' }));
    expect(identity).toMatchObject({ kind: 'person', roles: expected });
    expect(identity.claims).toEqual({});
  });

  it.each([
    [
      'the claims that give roles',
      {},
      { groups: ['platform', 'crm', 'crm', 'Not A Name', 7], team: 'web' },
      ['platform', 'crm'],
    ],
    ['one group as a text', {}, { groups: 'platform' }, ['platform']],
    [
      'a claim of its own',
      { groups: { claim: '/org/teams' } },
      { groups: ['platform'], org: { teams: ['web'] } },
      ['web'],
    ],
    ['a claim that the token lacks', { groups: { claim: 'teams' } }, { groups: ['platform'] }, []],
  ])('people have the groups of %s', async (_, spec, claims, expected) => {
    verifier.replaceIssuers([ci.trusted('staff', { roles, ...spec })]);
    expect((await verifier.verify(ci.sign(claims))).groups).toEqual(expected);
  });

  it('people have groups, and workloads have none, whatever their claims say', async () => {
    verifier.replaceIssuers([ci.trusted('staff', { roles })], new Map([['staff', new Set<string>()]]));
    expect(await verifier.verify(ci.sign({ groups: ['crm'] }))).toMatchObject({ kind: 'workload', groups: [] });
  });

  it('people who are administrators are platform persons too', async () => {
    const administrator = { claim: 'groups', values: ['root'] };
    verifier.replaceIssuers([ci.trusted('staff', { roles: { ...roles, administrator } })]);
    const rolesOf = async (...groups: readonly string[]) => (await verifier.verify(ci.sign({ groups }))).roles;
    expect(await rolesOf('root')).toEqual(['administrator', 'platform']);
    expect(await rolesOf('platform', 'root')).toEqual(['platform', 'administrator']);
    expect(await rolesOf('platform')).toEqual(['platform']);
  });
});

describe('the cache of proven tokens', () => {
  it('the cache of proven tokens proves a token once', async () => {
    const token = ci.sign();
    const first = await verifier.verify(token);
    expect(await verifier.verify(token)).toBe(first);
    expect(keySource.asked).toBe(1);
  });

  it('the cache of proven tokens proves it again after 60 seconds', async () => {
    const token = ci.sign();
    await verifier.verify(token);
    now = addSeconds(start, 59);
    await verifier.verify(token);
    expect(keySource.asked).toBe(1);
    now = addSeconds(start, 60);
    await verifier.verify(token);
    expect(keySource.asked).toBe(2);
  });

  it('the cache of proven tokens never serves a token past its expiry', async () => {
    const token = ci.sign({ exp: start.getTime() / 1000 + 20 });
    await verifier.verify(token);
    now = addSeconds(start, 30);
    expect(await reasonFor(token)).toBe('expired');
  });

  it('the cache of proven tokens does not trust an entry from a time to come', async () => {
    const token = ci.sign();
    await verifier.verify(token);
    now = addSeconds(start, -5);
    await verifier.verify(token);
    expect(keySource.asked).toBe(2);
  });

  it('the cache of proven tokens does not keep a refusal', async () => {
    const token = ci.sign({ nbf: start.getTime() / 1000 + 30 });
    expect(await reasonFor(token)).toBe('not_yet_valid');
    now = addSeconds(start, 30);
    expect(await reasonFor(token)).toBe('accepted');
  });

  it('the cache of proven tokens forgets everything when the issuers are replaced', async () => {
    const token = ci.sign();
    await verifier.verify(token);
    verifier.replaceIssuers([]);
    expect(await reasonFor(token)).toBe('unknown_issuer');
  });

  it('the cache of proven tokens does not carry a proof under way over to the new issuers', async () => {
    const token = ci.sign();
    const underWay = verifier.verify(token);
    verifier.replaceIssuers([]);
    await underWay;
    expect(await reasonFor(token)).toBe('unknown_issuer');
  });
});

describe('keys', () => {
  it('the verifier fetches keys again when the kid is unknown', async () => {
    verifier.replaceIssuers([ci.trusted('ci', { keys: { jwks: { keys: [] } } })]);
    expect(await reasonFor(ci.sign())).toBe('unknown_key');
    expect(keySource.refreshed).toBe(1);
  });

  it('a token needs no kid when only one key fits', async () => {
    expect(await reasonFor(ci.sign({}, { kid: undefined }))).toBe('accepted');
  });

  it('a token needs a kid when several keys fit', async () => {
    const other = new FakeIssuer({ clock });
    const keys = { jwks: { keys: [...ci.jwks().keys, { ...other.jwks().keys[0], kid: 'other' }] } };
    verifier.replaceIssuers([ci.trusted('ci', { keys })]);
    expect(await reasonFor(ci.sign({}, { kid: undefined }))).toBe('unknown_key');
    expect(await reasonFor(ci.sign())).toBe('accepted');
  });
});

describe('algorithms', () => {
  it.each(['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const)(
    'the identity verifier verifies %s',
    async (algorithm) => {
      const issuer = new FakeIssuer({ clock, algorithm });
      verifier.replaceIssuers([issuer.trusted('ci')]);
      expect(await reasonFor(issuer.sign())).toBe('accepted');
    },
  );
});

describe('trusted issuers', () => {
  it('the verifier trusts no issuer before the first declaration', async () => {
    verifier = new IdentityVerifier(keySource, clock);
    expect(await reasonFor(ci.sign())).toBe('unknown_issuer');
    expect(keySource.asked).toBe(0);
  });

  it('TrustedIssuers refuses two records for one issuer that disagree, and keeps what it had', async () => {
    expect(() => {
      verifier.replaceIssuers([ci.trusted('one'), ci.trusted('two', { maxLifetimeSeconds: 60 })]);
    }).toThrow('`one` declares the same issuer with another `maxLifetimeSeconds`');
    expect(await reasonFor(ci.sign())).toBe('accepted');
  });

  it('TrustedIssuers refuses two records for one trust domain that disagree, however it is spelt', () => {
    const spec = { profile: 'spiffe-jwt', keys: { jwks: { keys: [] } } };
    expect(() => {
      verifier.replaceIssuers([
        ci.trusted('one', { ...spec, issuer: 'spiffe://prod.example' }),
        ci.trusted('two', { ...spec, issuer: 'spiffe://PROD.example', staleKeysSeconds: 1 }),
      ]);
    }).toThrow('`one` declares the same issuer with another `staleKeysSeconds`');
  });
});

describe('whatever is sent', () => {
  const json = fc.jsonValue().map((value) => JSON.stringify(value));
  const claims = fc.record(
    {
      iss: fc.oneof(fc.constant(ci.issuer), fc.jsonValue()),
      sub: fc.oneof(fc.constant('agent'), fc.jsonValue()),
      aud: fc.oneof(fc.constant('mayfly'), fc.jsonValue()),
      iat: fc.oneof(fc.constant(start.getTime() / 1000), fc.double()),
      exp: fc.oneof(fc.constant(start.getTime() / 1000 + 60), fc.double()),
    },
    { requiredKeys: [] },
  );

  it('any token gives an identity or a refusal with a reason, never another error', async () => {
    const signed = fc
      .oneof(
        json,
        claims.map((value) => JSON.stringify(value)),
      )
      .map((payload) => {
        return ci.signText(JSON.stringify({ alg: 'ES256', kid: ci.kid }), payload);
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(signed, fc.string(), json), async (token) => {
        expect(await reasonFor(token)).toEqual(expect.any(String));
      }),
      { numRuns: 300 },
    );
  });
});
