import { describe, expect, it } from '@jest/globals';
import { chosenAccess, type NamedAccess } from './chosen-access.js';

const login = (name: string): NamedAccess => ({
  name,
  access: { family: 'postgres', login: { username: name, password: 'p' } },
});
const token: NamedAccess = { name: 'api', access: { family: 'token', token: 't' } };

describe('the credential that fixed variables are set from', () => {
  it('the credential that fixed variables are set from is the only one of its kind', () => {
    expect(chosenAccess('postgres', [token, login('one')], [])?.name).toBe('one');
    expect(chosenAccess('aws', [token, login('one')], [])).toBeUndefined();
  });

  it('the credential that fixed variables are set from is the one that was picked', () => {
    expect(chosenAccess('postgres', [login('one'), login('two')], ['two', 'api'])?.name).toBe('two');
  });

  it('the credential that fixed variables are set from is not guessed', () => {
    expect(() => chosenAccess('postgres', [login('one'), login('two')], [])).toThrow('`one` and `two`');
    expect(() => chosenAccess('postgres', [login('one'), login('two')], ['one', 'two'])).toThrow(
      'several database logins',
    );
  });
});
