import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { JsonObject, Problem } from '@mayfly/kernel';
import type { FakeIssuer } from '@mayfly/testing';
import fc from 'fast-check';
import { identityRefusalReason } from './identity-refusal.js';
import { isProvenReason, UNPROVEN_REASONS, type IdentityRefusalReason } from './refusal-reasons.js';
import {
  now,
  ci,
  rsa,
  mesh,
  cluster,
  hub,
  stranger,
  impostor,
  fetched,
  verifier,
  spiffe,
  serviceAccount,
  job,
} from './identity-verifier.fixture.js';

const text = (value: JsonObject): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = (more: JsonObject = {}): string => JSON.stringify({ alg: ci.algorithm, kid: ci.kid, ...more });
const payload = (issuer: FakeIssuer = ci): JsonObject => ({
  iss: issuer.issuer,
  sub: 'support-agent',
  aud: 'mayfly',
  iat: now,
  exp: now + 300,
});

/**
 * HS256 with the bytes of a public key as the secret: what a verifier does that lets the token choose the algorithm.
 */
function signedWithPublicKey(issuer: FakeIssuer, format: 'pem' | 'jwk'): string {
  const secret =
    format === 'pem' ? issuer.publicKey.export({ format, type: 'spki' }) : JSON.stringify(issuer.jwks().keys[0]);
  const input = `${text({ alg: 'HS256', kid: issuer.kid })}.${text(payload(issuer))}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const [head = '', body = '', signature = ''] = ci.sign().split('.');
const attacks: Record<string, [IdentityRefusalReason, string]> = {
  'alg none, no signature': ['algorithm', `${text({ alg: 'none' })}.${body}.`],
  'alg None, old signature': ['algorithm', `${text({ alg: 'None', kid: ci.kid })}.${body}.${signature}`],
  'HS256 keyed with the RSA public key': ['algorithm', signedWithPublicKey(rsa, 'pem')],
  'HS256 keyed with the EC public key': ['algorithm', signedWithPublicKey(ci, 'pem')],
  'HS256 keyed with the JWK': ['algorithm', signedWithPublicKey(ci, 'jwk')],
  'an algorithm that this issuer may not use': ['algorithm', rsa.sign({}, { alg: 'PS256' })],
  'an allowed algorithm that is not the one of the key': ['algorithm', ci.sign({}, { alg: 'RS256' })],
  'no algorithm': ['malformed', ci.sign({}, { alg: undefined })],
  'an unknown kid': ['unknown_key', ci.sign({}, { kid: 'key-2' })],
  'a kid that is a path': ['unknown_key', ci.sign({}, { kid: '../../../../dev/null' })],
  'a kid that is SQL': ['unknown_key', ci.sign({}, { kid: "x' UNION SELECT 'secret" })],
  'a kid of Object.prototype': ['unknown_key', ci.sign({}, { kid: '__proto__' })],
  'a kid that is a list': ['malformed', ci.sign({}, { kid: [ci.kid] })],
  'jku to keys of its own': ['signature', impostor.sign({}, { jku: 'https://evil.example/jwks' })],
  'x5u to a certificate of its own': ['signature', impostor.sign({}, { x5u: 'https://evil.example/x' })],
  'jwk with its own key': ['signature', impostor.sign({}, { jwk: impostor.jwks().keys[0] })],
  'x5c with its own certificate': ['signature', impostor.sign({}, { x5c: ['MIIB'] })],
  'crit with an extension': ['critical_header', ci.sign({}, { crit: ['exp'], exp: now })],
  'b64 false': ['critical_header', ci.sign({}, { b64: false, crit: ['b64'] })],
  'jku in a token that is well signed': ['header_not_allowed', ci.sign({}, { jku: 'https://evil.example/jwks' })],
  'an access token of another key': ['signature', impostor.sign({}, { typ: 'at+jwt' })],
  'an access token, where nobody said that they are taken': ['token_type', ci.sign({}, { typ: 'at+jwt' })],
  'a logout token': ['token_type', ci.sign({}, { typ: 'application/logout+jwt' })],
  'a proof of possession': ['token_type', ci.sign({}, { typ: 'dpop+jwt' })],
  'a security event': ['token_type', ci.sign({}, { typ: 'SECEVENT+JWT' })],
  'the signature of another key': ['signature', impostor.sign()],
  'a signature stripped': ['signature', `${head}.${body}.`],
  'a payload changed after signing': ['signature', `${head}.${text({ ...payload(), sub: 'root' })}.${signature}`],
  'a signature of zeros': ['signature', `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`],
  'a signature in DER': [
    'signature',
    `${head}.${body}.${Buffer.from('3006020101020101', 'hex').toString('base64url')}`,
  ],
  'another audience': ['audience', ci.sign({ aud: 'https://api.example' })],
  'an audience that ours is the beginning of': ['audience', ci.sign({ aud: 'mayfly.evil.example' })],
  'no audience': ['audience', ci.sign({ aud: undefined })],
  'an audience that is an object': ['malformed', ci.sign({ aud: { mayfly: true } })],
  'an issuer that nobody trusts': ['unknown_issuer', stranger.sign()],
  'an issuer with a slash more': ['unknown_issuer', ci.sign({ iss: 'https://ci.example/' })],
  'an issuer in capitals': ['unknown_issuer', ci.sign({ iss: 'https://CI.example' })],
  'no issuer': ['unknown_issuer', ci.sign({ iss: undefined })],
  'the issuer of somebody else': ['unknown_key', ci.sign({ iss: rsa.issuer }, { alg: 'RS256', kid: 'none' })],
  'a list of issuers': ['malformed', ci.sign({ iss: [ci.issuer] })],
  'a list of subjects': ['malformed', ci.sign({ sub: ['support-agent'] })],
  'a subject with a line break': ['malformed', ci.sign({ sub: 'support-agent\nroot' })],
  'a subject of look-alike letters': ['malformed', ci.sign({ sub: 'suppоrt-agent' })],
  'no subject': ['missing_claim', ci.sign({ sub: undefined })],
  'an empty subject': ['malformed', ci.sign({ sub: '' })],
  expired: ['expired', ci.sign({ iat: now - 400, exp: now - 10 })],
  'not yet valid': ['not_yet_valid', ci.sign({ nbf: now + 11 })],
  'issued in the future': ['not_yet_valid', ci.sign({ iat: now + 11, exp: now + 100 })],
  'a life longer than allowed': ['lifetime', ci.sign({ exp: now + 3601 })],
  'an expiry before its issue': ['lifetime', ci.sign({ iat: now + 5, exp: now - 8 })],
  'no expiry': ['missing_claim', ci.sign({ exp: undefined })],
  'no time of issue': ['missing_claim', ci.sign({ iat: undefined })],
  'an expiry that is text': ['malformed', ci.sign({ exp: String(now + 300) })],
  'an expiry that overflows': [
    'malformed',
    ci.signText(header(), JSON.stringify(payload()).replace(/\d+\}$/, '1e999}')),
  ],
  oversized: ['oversized', ci.sign({ padding: 'x'.repeat(16 * 1024) })],
  'a claim twice': ['duplicate_claim', ci.signText(header(), `{"sub":"root",${JSON.stringify(payload()).slice(1)}`)],
  'a claim twice, once escaped': [
    'duplicate_claim',
    ci.signText(header(), `{"\\u0073ub":"root",${JSON.stringify(payload()).slice(1)}`),
  ],
  'a header twice': ['duplicate_claim', ci.signText(`{"alg":"none",${header().slice(1)}`, JSON.stringify(payload()))],
  'an encrypted token': ['malformed', `${text({ alg: 'dir', enc: 'A256GCM' })}..aXY.Y2lwaGVy.dGFn`],
  'two segments': ['malformed', `${head}.${body}`],
  'a line break inside': ['malformed', `${head}.\n${body}.${signature}`],
  'a blank after it': ['malformed', `${head}.${body}.${signature} `],
  'padded base64': ['malformed', `${head}=.${body}.${signature}`],
  'spare bits in the signature': ['malformed', `${head}.${body}.${signature.slice(0, -1)}${spareBits(signature)}`],
  'a payload that is a list': ['malformed', ci.signText(header(), '[]')],
  'a payload that is no JSON': ['malformed', ci.signText(header(), '{')],
  'an empty token': ['malformed', ''],
  'a SPIFFE ID of another trust domain': ['unknown_issuer', spiffe('spiffe://test.example/agent')],
  'a trust domain that ours is the beginning of': ['unknown_issuer', spiffe('spiffe://prod.example.evil/agent')],
  'a SPIFFE ID with percent-encoding': ['unknown_issuer', spiffe('spiffe://prod.example/%61gent')],
  'a SPIFFE ID with dot segments': ['unknown_issuer', spiffe('spiffe://prod.example/a/../agent')],
  'a SPIFFE ID with a port': ['unknown_issuer', spiffe('spiffe://prod.example:443/agent')],
  'a SPIFFE ID with a user': ['unknown_issuer', spiffe('spiffe://prod.example@evil.example/agent')],
  'a SPIFFE ID with a trailing slash': ['unknown_issuer', spiffe('spiffe://prod.example/agent/')],
  'a SPIFFE ID with a query': ['unknown_issuer', spiffe('spiffe://prod.example/agent?x=1')],
  'the trust domain itself as a workload': ['profile', spiffe('spiffe://prod.example')],
  'a JWT-SVID for two audiences': ['audience', spiffe('spiffe://prod.example/agent', { aud: ['mayfly', 'other'] })],
  'a JWT-SVID without an audience': ['audience', spiffe('spiffe://prod.example/agent', { aud: undefined })],
  'a JWT-SVID without an expiry': ['missing_claim', spiffe('spiffe://prod.example/agent', { exp: undefined })],
  'a JWT-SVID that lives too long': [
    'lifetime',
    spiffe('spiffe://prod.example/agent', { iat: undefined, exp: now + 3601 }),
  ],
  'a JWT-SVID with a header of X.509': [
    'header_not_allowed',
    mesh.sign({ sub: 'spiffe://prod.example/a' }, { x5t: 'x' }),
  ],
  'a trust domain named as an issuer': ['unknown_issuer', mesh.sign({ sub: 'agent' })],
  'a service account token of the old kind': ['profile', cluster.sign({ sub: 'system:serviceaccount:crm:agent' })],
  'a service account of another namespace': [
    'profile',
    cluster.sign({ sub: 'system:serviceaccount:hr:agent', 'kubernetes.io': serviceAccount }),
  ],
  'a service account without its uid': [
    'profile',
    cluster.sign({
      sub: 'system:serviceaccount:crm:agent',
      'kubernetes.io': { namespace: 'crm', serviceaccount: { name: 'agent' } },
    }),
  ],
  'a job without the id of its repository': ['profile', hub.sign({ ...job, repository_id: undefined })],
  'a job whose ids are lists': ['profile', hub.sign({ ...job, repository_id: ['1'] })],
  'a job without jti': ['missing_claim', hub.sign({ ...job, jti: undefined })],
};

/** The last character of 64 bytes carries four spare bits, which must be zero. */
function spareBits(encoded: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(encoded.at(-1) ?? 'A') + 1] ?? 'B';
}

async function refusalOf(token: string): Promise<unknown> {
  return verifier.verify(token).then(
    (identity) => identity,
    (error: unknown) => error,
  );
}

describe('identity attacks', () => {
  it.each(Object.entries(attacks))('the identity verifier refuses %s', async (_, [reason, token]) => {
    const refusal = await refusalOf(token);
    expect(identityRefusalReason(refusal)).toBe(reason);
    expect(refusal).toMatchObject({ code: 'unauthenticated' });
    expect(fetched).toEqual([]);
  });

  it('the identity verifier tells the reason to holders of proven tokens, and one text to everybody else', async () => {
    const told = new Map<IdentityRefusalReason, string | undefined>();
    const texts = new Set<string>();
    for (const [reason, token] of Object.values(attacks)) {
      const { detail, extensions } = (await refusalOf(token)) as Problem;
      told.set(reason, extensions.reason);
      if (extensions.reason === undefined) texts.add(JSON.stringify([detail, extensions]));
    }
    for (const [reason, shown] of told)
      expect([reason, shown]).toEqual([reason, isProvenReason(reason) ? reason : undefined]);
    expect(texts.size).toBe(1);
    expect([...told.keys()].filter((reason) => !isProvenReason(reason)).toSorted()).toEqual(
      Object.keys(UNPROVEN_REASONS).toSorted(),
    );
  });

  it('a token with a broken signature learns nothing of any rule that it breaks', async () => {
    const first = JSON.stringify(shown(await refusalOf(ci.sign({}, { kid: 'nobody' }))));
    const claims = fc.record(
      {
        iss: fc.constantFrom(ci.issuer, rsa.issuer, 'https://nobody.example'),
        aud: fc.constantFrom('mayfly', 'other'),
        exp: fc.constantFrom(now - 500, now + 300, now + 90_000),
        nbf: fc.constantFrom(now - 5, now + 900),
        sub: fc.string(),
      },
      { requiredKeys: [] },
    );
    const headers = fc.record(
      {
        kid: fc.constantFrom(ci.kid, 'key-2'),
        typ: fc.constantFrom('JWT', 'at+jwt'),
        alg: fc.constantFrom('ES256', 'RS256', 'none'),
        jku: fc.string(),
        crit: fc.constant(['exp']),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(claims, headers, fc.constantFrom(impostor, stranger), async (body, head, signer) => {
        const token = signer.sign({ ...body }, { ...head });
        expect(JSON.stringify(shown(await refusalOf(token)))).toBe(first);
      }),
      { numRuns: 300 },
    );
  });
});

/** The members of a refusal that its answer shows. */
function shown(refusal: unknown): unknown {
  const { code, detail, extensions, retryAfterSeconds } = refusal as Problem;
  return { code, detail, extensions, retryAfterSeconds };
}
