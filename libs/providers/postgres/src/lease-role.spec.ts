import { describe, expect, it } from '@jest/globals';
import { createStatement, creatorOf, renewStatement, type LeaseRole } from './lease-role.js';

const AT = new Date('2026-01-01T00:00:00.500Z');
const LEASE: LeaseRole = {
  role: 'mayfly_x',
  scopeRole: 'mayfly_scope_y',
  verifier: "SCRAM'verifier",
  maxConnections: 5,
  expiresAt: AT,
  issuedAt: AT,
  mintBy: AT,
  facts: { version: 180_004, role: 'mayfly_lessor', creators: [] },
};

describe('createStatement', () => {
  it('createStatement checks its search path first, creates, grants, and checks the clock last, in one message', () => {
    const [pinned, create, grant, clock, ...rest] = createStatement(LEASE).split(';\n');
    expect(pinned).toContain('MF005');
    expect(create).toBe(
      `CREATE ROLE "mayfly_x" LOGIN INHERIT CONNECTION LIMIT 5 PASSWORD 'SCRAM''verifier' VALID UNTIL '2026-01-01T00:00:00.500Z'`,
    );
    expect(grant).toBe('GRANT "mayfly_scope_y" TO "mayfly_x" WITH INHERIT TRUE, SET FALSE');
    expect(clock).toContain(`clock_timestamp() < '2025-12-31T23:59:58.500Z'`);
    expect(clock).toContain(`clock_timestamp() > '2026-01-01T00:00:00.500Z'`);
    expect(rest).toEqual([]);
  });

  it.each([140_000, 150_018])(
    'createStatement grants plainly on version %i, which has no membership options',
    (version) => {
      expect(createStatement({ ...LEASE, facts: { ...LEASE.facts, version } })).toContain(
        'GRANT "mayfly_scope_y" TO "mayfly_x";',
      );
    },
  );
});

describe('createStatement with creators', () => {
  const facts = { ...LEASE.facts, creators: ['mayfly_lessor_1', 'mayfly_lessor_2'] };

  it('createStatement with creator roles has a creator make the role, and the role of the connection grant the scope', () => {
    const [, takeCreator, create, takeBack, grant] = createStatement({ ...LEASE, facts }).split(';\n');
    expect(takeCreator).toMatch(/^SET LOCAL ROLE "mayfly_lessor_[12]"$/);
    expect(create).toMatch(/^CREATE ROLE/);
    expect(takeBack).toBe('SET LOCAL ROLE "mayfly_lessor"');
    expect(grant).toMatch(/^GRANT/);
  });

  it('createStatement with creator roles takes the same creator for the same role, and spreads roles over all creators', () => {
    const names = Array.from({ length: 64 }, (_, index) => `mayfly_${String(index)}`);
    expect(names.map((name) => creatorOf(name, facts.creators))).toEqual(
      names.map((name) => creatorOf(name, [...facts.creators])),
    );
    expect(new Set(names.map((name) => creatorOf(name, facts.creators))).size).toBe(2);
    expect(creatorOf('mayfly_x', [])).toBeUndefined();
  });

  it('createStatement counts the connections of leases when it has a capacity', () => {
    expect(createStatement({ ...LEASE, capacity: 50 })).toContain('rolconnlimit');
    expect(createStatement(LEASE)).not.toContain('rolconnlimit');
  });
});

describe('renewStatement', () => {
  it('renewStatement moves the expiry and says nothing about logging in', () => {
    const statement = renewStatement('mayfly_x', AT, AT, undefined);
    expect(statement).toContain(`ALTER ROLE "mayfly_x" VALID UNTIL '2026-01-01T00:00:00.500Z'`);
    expect(statement).not.toMatch(/\bLOGIN\b/);
    expect(statement).toContain('lock_timeout');
  });
});
