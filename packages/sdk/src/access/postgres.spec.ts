import { describe, expect, it } from '@jest/globals';
import { passwordLine, postgresVariables } from './postgres.js';

const login = { username: 'u', password: 'p' };

describe('a line of a password file', () => {
  it.each([
    [{ host: 'h', port: '5432', database: 'd', ...login }, 'h:5432:d:u:p\n'],
    [{ ...login }, '*:*:*:u:p\n'],
    [{ database: 'd', ...login }, '*:*:d:u:p\n'],
    [{ host: '::1', username: 'a:b', password: 'c\\d:e' }, '\\:\\:1:*:*:a\\:b:c\\\\d\\:e\n'],
  ])('a line of a password file escapes %j', (from, line) => {
    expect(passwordLine(from)).toBe(line);
  });

  it.each(['\n', '\r', '\0'])(
    'a line of a password file refuses a password with %j, and does not show it',
    (character) => {
      const attempt = () => passwordLine({ username: 'u', password: `first${character}*:*:*:*:second` });
      expect(attempt).toThrow(/line break or another control character/);
      expect(attempt).not.toThrow(/second/);
    },
  );
});

describe('the variables of a database login', () => {
  const { set, withholds } = postgresVariables(
    { host: 'h', port: '1', database: 'd', ...login, sslmode: 'verify-full' },
    { passwords: '/run/x/pgpass' },
  );

  it('the variables of a database login name everything but the password', () => {
    expect(set).toEqual({
      PGHOST: 'h',
      PGPORT: '1',
      PGDATABASE: 'd',
      PGUSER: 'u',
      PGSSLMODE: 'verify-full',
      PGPASSFILE: '/run/x/pgpass',
    });
  });

  it.each(['PGPASSWORD', 'PGSERVICE', 'PGHOSTADDR', 'DATABASE_URL', 'PGSSLMODE'])(
    'the variables of a database login withhold an inherited %s',
    (name) => {
      expect(withholds(name)).toBe(true);
    },
  );

  it.each(['PGSSLROOTCERT', 'PGAPPNAME', 'PATH'])('the variables of a database login leave %s alone', (name) => {
    expect(withholds(name)).toBe(false);
  });

  it('the variables of a database login leave PGSSLMODE alone where the connection says nothing of it', () => {
    expect(postgresVariables(login, { passwords: '/x' }).withholds('PGSSLMODE')).toBe(false);
  });

  it("the variables of a database login name the file with the authority's certificate, in place of one that is inherited", () => {
    const named = postgresVariables(login, { passwords: '/x', authority: '/run/x/authority.pem' });
    expect(named.set).toMatchObject({ PGSSLROOTCERT: '/run/x/authority.pem' });
    expect(named.withholds('PGSSLROOTCERT')).toBe(true);
  });
});
