import { describe, expect, it } from '@jest/globals';
import {
  SignedTokenConfigSchema,
  SignedTokenConnectionSchema,
  SignedTokenScopeSchema,
} from './signed-token.schemas.js';

const scope = (change: object) =>
  SignedTokenScopeSchema.safeParse({ audience: 'https://cases.example', operations: ['cases.read'], ...change });

describe('the scope of a signed token', () => {
  it.each([
    'https://cases.example',
    'https://cases.example/',
    'https://cases.example:8443/v1/cases',
    'https://10.0.0.7/api',
    'urn:example:cases',
    'urn:mayfly:demo:cases/v1',
  ])('the scope of a signed token takes the audience %s', (audience) => {
    expect(scope({ audience }).success).toBe(true);
  });

  it.each([
    '',
    'cases',
    'http://cases.example',
    'ftp://cases.example',
    'https://',
    'https:cases.example',
    'https://CASES.example',
    'HTTPS://cases.example',
    'https://cases.example:443',
    'https://cases.example/a/../b',
    'https://cases.example/./',
    'https://cases.example/%2e%2e/',
    'https://cases.example\\@other.example',
    'https://user@cases.example',
    'https://@cases.example',
    'https://cases.example?tenant=1',
    'https://cases.example?',
    'https://cases.example#',
    'https://*.example',
    'https://cases.example/ ',
    ' https://cases.example',
    'https://cases.example\n',
    'https://cäses.example',
    'https://0x7f.1',
    'urn:x',
    'urn:example:',
    'urn:example:a b',
    'URN:example:cases',
    'urn:example:cases*',
    `https://cases.example/${'a'.repeat(234)}`,
  ])('the scope of a signed token refuses the audience `%s`', (audience) => {
    expect(scope({ audience }).success).toBe(false);
  });

  it('the scope of a signed token takes 32 operations of 64 characters, and an audience of 255', () => {
    const operations = Array.from({ length: 32 }, (_, index) => `a${String(index).padStart(63, '0')}`);
    expect(scope({ operations }).success).toBe(true);
    expect(scope({ audience: `https://cases.example/${'a'.repeat(233)}` }).success).toBe(true);
  });

  it.each([
    ['none', []],
    ['too many', Array.from({ length: 33 }, (_, index) => `a${String(index)}`)],
    ['one twice', ['cases.read', 'cases.read']],
    ['one too long', ['a'.repeat(65)]],
    ['a wildcard', ['cases.*']],
    ['a space, which would make two of one', ['cases.read cases.write']],
    ['an upper-case letter', ['Cases.read']],
    ['a digit first', ['1cases']],
    ['a line break at the end', ['cases.read\n']],
    ['a number', [7]],
  ])('the scope of a signed token refuses operations with %s', (_name, operations) => {
    expect(scope({ operations }).success).toBe(false);
  });

  it.each(['claims', 'sub', 'audiences', '__proto__x'])(
    'the scope of a signed token refuses the unknown member `%s`',
    (name) => {
      expect(scope({ [name]: {} }).success).toBe(false);
    },
  );
});

describe('a connection of signed tokens', () => {
  const connection = {
    audience: 'https://cases.example',
    resourceServers: [{ issuer: 'ci', subject: 'system:serviceaccount:cases:api' }],
  };

  it('a connection of signed tokens declares who may introspect the tokens of an audience', () => {
    expect(SignedTokenConnectionSchema.parse(connection)).toEqual(connection);
    expect(SignedTokenConfigSchema.parse(connection)).toEqual(connection);
  });

  it('a connection of signed tokens may be left out', () => {
    expect(SignedTokenConfigSchema.parse({})).toEqual({});
  });

  it.each([
    ['an audience alone', { audience: connection.audience }],
    ['resource servers alone', { resourceServers: connection.resourceServers }],
    ['an unknown key', { ...connection, secret: 'x' }],
    ['a resource server without subject', { ...connection, resourceServers: [{ issuer: 'ci' }] }],
    ['an issuer that is a URL', { ...connection, resourceServers: [{ issuer: 'https://ci.example', subject: 'x' }] }],
  ])('a connection of signed tokens is refused with %s', (_name, config) => {
    expect(SignedTokenConfigSchema.safeParse(config).success).toBe(false);
  });
});
