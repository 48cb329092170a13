import { describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { createMessage, renewStatement, type LeaseRole } from './lease-role.js';

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
const FACTS = { version: 180_004, functions: false };

const statementsOf = (...given: Parameters<typeof createMessage>): string[] => createMessage(...given).split(';\n');

describe('createMessage', () => {
  it('createMessage looks at its search path first, creates, grants and looks at the clock last, in one message', () => {
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

  it('createMessage comments on each role with its mark, after its creation and before its grant', () => {
    const [, create, comment, grant] = statementsOf([{ ...LEASE, mark: 'a-mark' }], { facts: FACTS });
    expect([create, grant]).toEqual([
      expect.stringContaining('CREATE ROLE "mayfly_x"'),
      expect.stringContaining('GRANT "mayfly_scope_y"'),
    ]);
    expect(comment).toBe(`COMMENT ON ROLE "mayfly_x" IS 'mayfly lease a-mark'`);
  });

  it.each([
    [true, 1],
    [false, 0],
  ])('createMessage lets functions mark roles only when they can (%p)', (marksByFunction, calls) => {
    const facts = { ...FACTS, functions: true, marksByFunction };
    const text = createMessage([{ ...LEASE, mark: 'a-mark' }], { facts });
    expect([text.split('mayfly.mark_leases(').length - 1, text.includes('COMMENT ON')]).toEqual([calls, false]);
  });

  it.each([140_000, 150_018])(
    'createMessage grants plainly on version %i, which has no membership options',
    (version) => {
      expect(createMessage([LEASE], { facts: { ...FACTS, version } })).toContain(
        'GRANT "mayfly_scope_y" TO "mayfly_x";',
      );
    },
  );

  it('createMessage counts the connections of leases when it has a capacity', () => {
    expect(createMessage([LEASE], { facts: FACTS, capacity: 50 })).toContain('rolconnlimit');
    expect(createMessage([LEASE], { facts: FACTS })).not.toContain('rolconnlimit');
  });

  it('createMessage creates all roles of a group first, then grants each scope once, sorted by name', () => {
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

  it('createMessage measures the clock of a group by its earliest deadline and its latest order', () => {
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

describe('createMessage with a creator', () => {
  it('createMessage has the creator make all roles and grant the scopes', () => {
    const leases = [LEASE, { ...LEASE, role: 'mayfly_z' }];
    const [, takeCreator, create, createNext, grant] = statementsOf(leases, {
      facts: FACTS,
      creator: 'mayfly_lessor_1',
    });
    expect(takeCreator).toBe('SET LOCAL ROLE "mayfly_lessor_1"');
    expect([create, createNext].map((text) => text?.slice(0, 22))).toEqual([
      'CREATE ROLE "mayfly_x"',
      'CREATE ROLE "mayfly_z"',
    ]);
    expect(grant).toBe('GRANT "mayfly_scope_y" TO "mayfly_x", "mayfly_z" WITH INHERIT TRUE, SET FALSE');
  });

  it('createMessage only checks the creator in a session that works as it already', () => {
    const creation = { facts: FACTS, creator: 'mayfly_lessor_1', isCreator: true };
    const [, check, create] = statementsOf([LEASE], creation);
    expect(check).toContain(`current_user <> 'mayfly_lessor_1'`);
    expect(create).toMatch(/^CREATE ROLE/);
  });
});

describe('createMessage with the functions of the owner', () => {
  it('createMessage makes all roles by one call of the functions, whose arrays are constants, between the same checks', () => {
    const [pinned, call, clock, ...rest] = statementsOf([LEASE, { ...LEASE, role: 'mayfly_z' }], {
      facts: { ...FACTS, functions: true },
    });
    expect([pinned, clock]).toEqual([expect.stringContaining('MF005'), expect.stringContaining('MF001')]);
    expect(call).toBe(
      `SELECT mayfly.mint_leases('{"mayfly_x","mayfly_z"}'::text[], '{"mayfly_scope_y","mayfly_scope_y"}'::text[],` +
        ` '{"SCRAM''verifier","SCRAM''verifier"}'::text[], '{"5","5"}'::int[],` +
        ` '{"2026-01-01T00:00:00.500Z","2026-01-01T00:00:00.500Z"}'::timestamptz[])`,
    );
    expect(rest).toEqual([]);
  });
});

describe('renewStatement', () => {
  it('renewStatement moves the expiry and says nothing about logging in', () => {
    const statement = renewStatement({ name: 'mayfly_x', maker: null, byFunctions: false }, AT, AT);
    expect(statement).toContain(`ALTER ROLE "mayfly_x" VALID UNTIL '2026-01-01T00:00:00.500Z'`);
    expect(statement).not.toMatch(/\bLOGIN\b/);
    expect(statement).toContain('lock_timeout');
  });
});
