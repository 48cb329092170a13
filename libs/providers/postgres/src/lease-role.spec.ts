import { describe, expect, it } from '@jest/globals';
import { createStatement, renewStatement, type LeaseRole } from './lease-role.js';

const AT = new Date('2026-01-01T00:00:00.500Z');
const LEASE: LeaseRole = {
  role: 'mayfly_x',
  scopeRole: 'mayfly_scope_y',
  verifier: "SCRAM'verifier",
  maxConnections: 5,
  expiresAt: AT,
  issuedAt: AT,
  mintBy: AT,
  serverVersion: 180_004,
};

describe('createStatement', () => {
  it('creates, grants and looks at the clock last, in one message', () => {
    const [create, grant, early, late, ...rest] = createStatement(LEASE).split(';\n');
    expect(create).toBe(
      `CREATE ROLE "mayfly_x" LOGIN INHERIT CONNECTION LIMIT 5 PASSWORD 'SCRAM''verifier' VALID UNTIL '2026-01-01T00:00:00.500Z'`,
    );
    expect(grant).toBe('GRANT "mayfly_scope_y" TO "mayfly_x" WITH INHERIT TRUE, SET FALSE');
    expect(early).toContain(`clock_timestamp() < '2025-12-31T23:59:58.500Z'`);
    expect(late).toContain(`clock_timestamp() > '2026-01-01T00:00:00.500Z'`);
    expect(rest).toEqual([]);
  });

  it.each([140_000, 150_018])('grants plainly on version %i, which has no membership options', (serverVersion) => {
    expect(createStatement({ ...LEASE, serverVersion })).toContain('GRANT "mayfly_scope_y" TO "mayfly_x";');
  });
});

describe('renewStatement', () => {
  it('moves the expiry and says nothing about logging in', () => {
    const statement = renewStatement('mayfly_x', AT, AT);
    expect(statement).toContain(`ALTER ROLE "mayfly_x" VALID UNTIL '2026-01-01T00:00:00.500Z'`);
    expect(statement).not.toMatch(/\bLOGIN\b/);
    expect(statement).toContain('lock_timeout');
  });
});
