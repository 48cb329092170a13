import { describe, expect, it } from '@jest/globals';
import type { Minted } from '@mayfly/credentials';
import { addSeconds, type JsonObject } from '@mayfly/kernel';
import { checkSignedToken } from './signed-token.check.js';
import type { SignedTokenOrder } from './signed-token.provider.js';
import type { SignedTokenHandle } from './signed-token.schemas.js';

const START = new Date('2030-01-01T00:00:00Z');
const SECOND = START.getTime() / 1000;
const ORDER: SignedTokenOrder = {
  leaseId: 'lse_1',
  taskId: 'tsk_1',
  agent: { id: 'agt_1', name: 'support-agent' },
  template: { name: 'support-read-cases', version: 1 },
  config: {},
  scope: { audience: 'https://cases.example', operations: ['cases.read'] },
  issuedAt: START,
  expiresAt: addSeconds(START, 900),
  mintBy: addSeconds(START, 10),
};
const CLAIMS: JsonObject = {
  iss: 'https://mayfly.example',
  sub: 'agt_1',
  client_id: 'agt_1',
  aud: 'https://cases.example',
  iat: SECOND,
  exp: SECOND + 900,
  jti: 'lse_1',
  scope: 'cases.read',
  authorization_details: [{ type: 'mayfly_operations', actions: ['cases.read'], locations: ['https://cases.example'] }],
  task_id: 'tsk_1',
  template: { name: 'support-read-cases', version: 1 },
};

const minted = (claims: unknown, change: Partial<Minted<SignedTokenHandle>> = {}): Minted<SignedTokenHandle> => ({
  handle: { jti: 'lse_1' },
  secret: { token: `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`, tokenType: 'Bearer' },
  providerExpiresAt: addSeconds(START, 900),
  ...change,
});

describe('the check of a minted token', () => {
  it('the check of a minted token passes the token that was allowed, in whatever order its claims are', () => {
    expect(checkSignedToken(ORDER, minted(CLAIMS))).toBeUndefined();
    expect(checkSignedToken(ORDER, minted(Object.fromEntries(Object.entries(CLAIMS).reverse())))).toBeUndefined();
  });

  it.each([
    ['sub', 'agt_2'],
    ['client_id', 'agt_2'],
    ['aud', 'https://other.example'],
    ['aud', ['https://cases.example', 'https://other.example']],
    ['iat', SECOND + 1],
    ['jti', 'lse_2'],
    ['scope', 'cases.read cases.write'],
    ['task_id', 'tsk_2'],
    ['template', { name: 'support-read-cases', version: 2 }],
    ['authorization_details', []],
    ['authorization_details', [{ type: 'mayfly_operations', actions: ['cases.write'], locations: [] }]],
  ])('the check of a minted token finds another `%s` than was allowed (%j)', (name, value) => {
    expect(checkSignedToken(ORDER, minted({ ...CLAIMS, [name]: value }))).toBe(
      `the claim \`${name}\` differs from the order`,
    );
  });

  it.each(Object.keys(CLAIMS).filter((name) => name !== 'iss' && name !== 'exp'))(
    'the check of a minted token finds `%s` missing',
    (name) => {
      expect(checkSignedToken(ORDER, minted({ ...CLAIMS, [name]: undefined }))).toContain(`\`${name}\``);
    },
  );

  it.each(['admin', 'act', 'cnf', 'constructor', 'toString'])(
    'the check of a minted token finds the claim `%s` that nobody allowed',
    (name) => {
      expect(checkSignedToken(ORDER, minted({ ...CLAIMS, [name]: 'canary' }))).toBe(
        `the claim \`${name}\` is not allowed`,
      );
    },
  );

  it.each([
    ['a second too late', SECOND + 901],
    ['text', String(SECOND + 900)],
    ['missing', undefined],
    ['without end', null],
  ])('the check of a minted token finds an expiry that is %s', (_name, exp) => {
    expect(checkSignedToken(ORDER, minted({ ...CLAIMS, exp }))).toBe('the token lives longer than allowed');
  });

  it('the check of a minted token finds an expiry that is stated otherwise than it is', () => {
    const stated = { providerExpiresAt: addSeconds(START, 300) };
    expect(checkSignedToken(ORDER, minted(CLAIMS, stated))).toBe('the stated expiry differs from the one in the token');
  });

  it('the check of a minted token finds the handle of another lease, which would not end this one', () => {
    expect(checkSignedToken(ORDER, minted(CLAIMS, { handle: { jti: 'lse_2' } }))).toContain('handle');
  });

  it.each([
    ['nothing', {}],
    ['a number', { token: 7 }],
    ['no JWT', { token: 'canary' }],
    ['a payload that is no JSON', { token: 'e30.Y2FuYXJ5.c2ln' }],
    ['a payload that is a list', { token: 'e30.W10.c2ln' }],
    ['a payload that is null', { token: 'e30.bnVsbA.c2ln' }],
  ])('the check of a minted token cannot read %s', (_name, secret) => {
    expect(checkSignedToken(ORDER, minted(CLAIMS, { secret }))).toBe('the token cannot be read');
  });
});
