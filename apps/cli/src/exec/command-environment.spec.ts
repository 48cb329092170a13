import { describe, expect, it } from '@jest/globals';
import { commandEnvironment } from './command-environment.js';

const none = () => false;

describe('the environment of a command', () => {
  it('the environment of a command is the inherited one without the withheld variables and with the given ones', () => {
    const inherited = { PATH: '/bin', AWS_PROFILE: 'standing', LANG: 'C', GONE: undefined };
    const given = [{ set: { AWS_REGION: 'r' }, withholds: (name: string) => name.startsWith('AWS_') }];
    expect(commandEnvironment(inherited, given, ['LANG'])).toEqual({ PATH: '/bin', AWS_REGION: 'r' });
  });

  it('the environment of a command has no identity token: with it, a command could ask for more than its task', () => {
    const inherited = {
      MAYFLY_TOKEN: 'x',
      MAYFLY_TOKEN_FILE: 'x',
      MAYFLY_TOKEN_OTHER: 'of another task',
      MAYFLY_ID_TOKEN: 'x',
      ACTIONS_ID_TOKEN_REQUEST_URL: 'x',
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x',
      SPIFFE_JWT_SVID_FILE: 'x',
      MAYFLY_URL: 'u',
    };
    const given = [{ set: { MAYFLY_TOKEN_API: 'issued' }, withholds: none }];
    expect(commandEnvironment(inherited, given, [])).toEqual({ MAYFLY_URL: 'u', MAYFLY_TOKEN_API: 'issued' });
  });

  it.each(['a\nLD_PRELOAD=/tmp/x', 'a\0b', 'a\rb', '\u001b[2J'])(
    'the environment of a command refuses the value %j, and does not show it',
    (value) => {
      const attempt = () => commandEnvironment({}, [{ set: { PGUSER: value }, withholds: none }], []);
      expect(attempt).toThrow('the value for PGUSER has a line break');
      expect(attempt).not.toThrow(/LD_PRELOAD/);
    },
  );
});
