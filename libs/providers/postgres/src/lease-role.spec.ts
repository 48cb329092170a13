import { describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { createMessage, creatorOf, renewStatement, type LeaseRole } from './lease-role.js';

const AT = new Date('2026-01-01T00:00:00.500Z');
const LEASE: LeaseRole = {
  role: 'mayfly_x',
  scopeRole: 'mayfly_scope_y',
  verifier: "SCRAM'verifier",
  maxConnections: 5,
  expiresAt: AT,
  issuedAt: AT,
  mintBy: AT,
};
const FACTS = { version: 180_004, role: 'mayfly_lessor', creators: [] };

const statementsOf = (...given: Parameters<typeof createMessage>): string[] => createMessage(...given).split(';\n');

describe('createMessage', () => {
  it('looks at its search path first, creates, grants and looks at the clock last, in one message', () => {
    const [pinned, create, grant, clock, ...rest] = statementsOf([LEASE], { facts: FACTS });
    expect(pinned).toContain('MF005');
    expect(create).toBe(
      `CREATE ROLE "mayfly_x" LOGIN INHERIT CONNECTION LIMIT 5 PASSWORD 'SCRAM''verifier' VALID UNTIL '2026-01-01T00:00:00.500Z'`,
    );
    expect(grant).toBe('GRANT "mayfly_scope_y" TO "mayfly_x" WITH INHERIT TRUE, SET FALSE');
    expect(clock).toContain(`clock_timestamp() < '2025-12-31T23:59:58.500Z'`);
    expect(clock).toContain(`clock_timestamp() > '2026-01-01T00:00:00.500Z'`);
    expect(rest).toEqual([]);
  });

  it.each([140_000, 150_018])('grants plainly on version %i, which has no membership options', (version) => {
    expect(createMessage([LEASE], { facts: { ...FACTS, version } })).toContain('GRANT "mayfly_scope_y" TO "mayfly_x";');
  });

  it('counts what is handed out when it is given a capacity', () => {
    expect(createMessage([LEASE], { facts: FACTS, capacity: 50 })).toContain('rolconnlimit');
    expect(createMessage([LEASE], { facts: FACTS })).not.toContain('rolconnlimit');
  });

  it('creates all roles of a group first, then grants each scope once, sorted by name', () => {
    const leases = ['c', 'b', 'a'].map((name) => ({
      ...LEASE,
      role: `mayfly_${name}`,
      scopeRole: `mayfly_scope_${name === 'a' ? '1' : '2'}`,
    }));
    const [, patience, ...statements] = statementsOf(leases, { facts: FACTS, lockTimeoutMillis: 250 });
    expect(patience).toBe('SET LOCAL lock_timeout = 250');
    expect(statements.slice(0, -1).map((text) => text.replace(/ LOGIN .*| WITH INHERIT.*/, ''))).toEqual([
      'CREATE ROLE "mayfly_c"',
      'CREATE ROLE "mayfly_b"',
      'CREATE ROLE "mayfly_a"',
      'GRANT "mayfly_scope_1" TO "mayfly_a"',
      'GRANT "mayfly_scope_2" TO "mayfly_c", "mayfly_b"',
    ]);
  });

  it('measures the clock of a group by its earliest deadline and its latest order', () => {
    const clock = statementsOf(
      [
        { ...LEASE, issuedAt: addSeconds(AT, 4), mintBy: addSeconds(AT, 30) },
        { ...LEASE, role: 'mayfly_z', issuedAt: AT, mintBy: addSeconds(AT, 20) },
      ],
      { facts: FACTS },
    ).at(-1);
    expect(clock).toContain(`clock_timestamp() < '2026-01-01T00:00:02.500Z'`);
    expect(clock).toContain(`clock_timestamp() > '2026-01-01T00:00:20.500Z'`);
  });
});

describe('createMessage with creators', () => {
  const facts = { ...FACTS, creators: ['mayfly_lessor_1', 'mayfly_lessor_2'] };

  it('has a creator make the role, and the role of the connection grant the scope', () => {
    const [, takeCreator, create, takeBack, grant] = statementsOf([LEASE], { facts });
    expect(takeCreator).toMatch(/^SET LOCAL ROLE "mayfly_lessor_[12]"$/);
    expect(create).toMatch(/^CREATE ROLE/);
    expect(takeBack).toBe('SET LOCAL ROLE "mayfly_lessor"');
    expect(grant).toMatch(/^GRANT/);
  });

  it('takes each creator of a group once', () => {
    const leases = Array.from({ length: 16 }, (_, index) => ({ ...LEASE, role: `mayfly_${String(index)}` }));
    const taken = statementsOf(leases, { facts }).filter((text) => text.startsWith('SET LOCAL ROLE'));
    expect(taken).toEqual(
      ['1"', '2"', '"'].map((end) => `SET LOCAL ROLE "mayfly_lessor${end === '"' ? '' : '_'}${end}`),
    );
  });

  it('takes the same creator for the same role, and spreads roles over all creators', () => {
    const names = Array.from({ length: 64 }, (_, index) => `mayfly_${String(index)}`);
    expect(names.map((name) => creatorOf(name, facts.creators))).toEqual(
      names.map((name) => creatorOf(name, [...facts.creators])),
    );
    expect(new Set(names.map((name) => creatorOf(name, facts.creators))).size).toBe(2);
    expect(creatorOf('mayfly_x', [])).toBeUndefined();
  });
});

describe('renewStatement', () => {
  it('moves the expiry and says nothing about logging in', () => {
    const statement = renewStatement('mayfly_x', AT, AT, undefined);
    expect(statement).toContain(`ALTER ROLE "mayfly_x" VALID UNTIL '2026-01-01T00:00:00.500Z'`);
    expect(statement).not.toMatch(/\bLOGIN\b/);
    expect(statement).toContain('lock_timeout');
  });
});
