import { describe, expect, it } from '@jest/globals';
import { memberVariables, tokenVariables } from './member-variables.js';

describe('the members of secrets', () => {
  it('the members of secrets have variables that name credential and member', () => {
    const secrets = [
      { name: 'db-main', secret: { accessKeyId: 'A', port: 5432, nested: { a: 1 }, empty: null, ready: true } },
      { name: 'api', secret: { token: 'T', tokenType: 'Bearer' } },
    ];
    expect(memberVariables(secrets)).toEqual({
      set: {
        MAYFLY_DB_MAIN_ACCESS_KEY_ID: 'A',
        MAYFLY_DB_MAIN_PORT: '5432',
        MAYFLY_DB_MAIN_NESTED: '{"a":1}',
        MAYFLY_DB_MAIN_READY: 'true',
        MAYFLY_API_TOKEN: 'T',
        MAYFLY_API_TOKEN_TYPE: 'Bearer',
      },
      files: {},
    });
  });

  it('the members of secrets are in files where they have several lines, as keys and certificates do', () => {
    const secret = { private_key: 'one\ntwo\n', serial: '7' };
    expect(memberVariables([{ name: 'tls', secret }])).toEqual({
      set: { MAYFLY_TLS_SERIAL: '7' },
      files: { MAYFLY_TLS_PRIVATE_KEY_FILE: 'one\ntwo\n' },
    });
  });

  it.each([
    [[{ name: 'token', secret: { file: 'x' } }], 'MAYFLY_TOKEN_FILE'],
    [[{ name: 'task', secret: { id: 'x' } }], 'MAYFLY_TASK_ID'],
    [
      [
        { name: 'a-b', secret: { c: '1' } },
        { name: 'a', secret: { b_c: '2' } },
      ],
      'MAYFLY_A_B_C',
    ],
  ])('secrets are refused when two members map to one variable: %j', (secrets, variable) => {
    expect(() => memberVariables(secrets)).toThrow(variable);
  });
});

describe('signed tokens', () => {
  it('signed tokens have a variable each', () => {
    const tokens = [
      { name: 'api', token: '1' },
      { name: 'search-api', token: '2' },
    ];
    expect(tokenVariables(tokens)).toEqual({ MAYFLY_TOKEN_API: '1', MAYFLY_TOKEN_SEARCH_API: '2' });
  });

  it('signed tokens never take the place of the identity token', () => {
    expect(() => tokenVariables([{ name: 'file', token: '1' }])).toThrow('MAYFLY_TOKEN_FILE');
  });
});
