import { describe, expect, it } from '@jest/globals';
import { redact } from './redaction.js';

describe('words of a server', () => {
  it.each([
    [
      '1 error occurred:\n\t* failed to revoke entry: failed to connect to `user=vault_admin database=crm`: 10.0.0.7:5432: dial error: dial tcp 10.0.0.7:5432: connect: connection refused',
      ['failed to revoke entry', 'connection refused'],
      ['vault_admin', '10.0.0.7', 'crm'],
    ],
    [
      'failed to execute query: ERROR: permission denied to create role (SQLSTATE 42501) for user "vaultadmin"',
      ['permission denied to create role', '42501'],
      ['vaultadmin'],
    ],
    ['dial tcp: lookup dbhost on 10.1.1.1:53: no such host', ['no such'], ['dbhost', '10.1.1.1']],
    ['connect to primary failed', ['failed'], ['primary']],
    ['token hvs.CAESIJ9fakefakefake and s.r2eHBC0EjHQ5ekEdUwS1YMAs', ['token', 'and'], ['hvs.', 's.r2']],
    ['postgresql://admin:pass@db.internal:5432/crm is wrong', ['is wrong'], ['admin', 'pass', 'internal']],
    ['password authentication failed for user postgres', ['failed'], ['user postgres']],
    ['login with correcthorse failed, tried Battery-Staple', ['login with', 'failed, tried'], ['correct', 'Battery']],
    ['secretSQLSTATE is wrong, secretSQLSTATE AB123', ['is wrong'], ['secretSQL', 'AB123']],
  ])('words of a server keep what failed and lose who and where: %s', (text, kept, lost) => {
    const told = redact(text);
    for (const words of kept) expect(told).toContain(words);
    for (const words of lost) expect(told).not.toContain(words);
  });

  it('words of a server are short', () => {
    expect(redact('word '.repeat(5000)).length).toBeLessThan(220);
  });
});
