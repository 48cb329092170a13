import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds, Problem } from '@mayfly/kernel';
import { SERVERS_AND_WAYS } from './crm-database.js';
import { openPostgresTarget, patience, scopeOf, type Order, type PostgresTarget } from './postgres-target.js';
import { openSession, rows } from './sql.js';

const AT_ONCE = 64;

/** Faults of one mint among others, with the code of its refusal. */
const FAULTS: Readonly<Record<string, (order: Order) => Order>> = {
  none: (order) => order,
  'a table that does not exist': (order) => ({ ...order, scope: scopeOf(['no_such_table']) }),
  'a deadline that has passed': (order) => ({ ...order, mintBy: addSeconds(order.issuedAt, -1) }),
  'a clock that is ahead': (order) => ({
    ...order,
    issuedAt: addSeconds(order.issuedAt, 60),
    expiresAt: addSeconds(order.expiresAt, 60),
  }),
  'a life that is too long': (order) => ({ ...order, expiresAt: addSeconds(order.issuedAt, 50_000) }),
};

/** Returns numbers below `bound` that look random and are the same in each run. */
function sequence(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * bound);
  };
}

describe.each(SERVERS_AND_WAYS)('mints and ends that are gathered on %s, by way of %s', (_, way, start) => {
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(start, way);
  });
  afterAll(() => target.close());

  const outcomeOf = (order: Order): Promise<string> =>
    target.mint(order).then(
      () => 'minted',
      (error: unknown) =>
        error instanceof Problem ? `${error.code}, nothing minted: ${String(error.nothingMinted)}` : 'no problem',
    );
  const exists = async ({ leaseId }: Order): Promise<boolean> =>
    (await target.roleCount(leaseId.replace('lse_', 'mayfly_'))) === 1;

  it.each([1, 2, 3])('gathered mints and ends have the outcome that they have one by one (%i)', async (seed) => {
    const random = sequence(seed);
    const names = Object.keys(FAULTS);
    // half of them are in order
    const mix = Array.from({ length: 24 }, () => names[random(2) === 0 ? 0 : random(names.length)]!);
    const gathered = mix.map((name) => FAULTS[name]!(target.orderFor()));
    const together = await Promise.all(gathered.map(outcomeOf));
    const single: Order[] = [];
    const alone: string[] = [];
    for (const name of mix) {
      // made when it is used: a clock that was ahead is not ahead any more some time later
      const order = FAULTS[name]!(target.orderFor());
      single.push(order);
      alone.push(await outcomeOf(order));
    }
    expect(together).toEqual(alone);
    expect(new Set(alone).size).toBeGreaterThan(1);
    for (const [index, order] of gathered.entries()) expect(await exists(order)).toBe(together[index] === 'minted');
    const ends = await Promise.all([...gathered, ...single].map((order) => target.revoke(order)));
    const minted = [...together, ...alone].map((outcome) => (outcome === 'minted' ? 'revoked' : 'already_gone'));
    expect(ends.map(({ kind }) => kind)).toEqual(minted);
  });

  it('gathered mints and ends make one of two leases of one name, and all others', async () => {
    const orders = Array.from({ length: 16 }, () => target.orderFor());
    const outcomes = await Promise.all([...orders, orders[7]!].map(outcomeOf));
    expect(outcomes.filter((outcome) => outcome === 'minted')).toHaveLength(16);
    expect(outcomes.filter((outcome) => outcome !== 'minted')).toEqual(['provider_unavailable, nothing minted: false']);
    for (const { kind } of await Promise.all(orders.map((order) => target.revoke(order)))) expect(kind).toBe('revoked');
  });

  it('wait for none that cannot be made yet, while others are made and ended', async () => {
    const ending = await Promise.all(Array.from({ length: AT_ONCE }, () => target.mint()));
    const minting = Array.from({ length: AT_ONCE }, () => target.orderFor());
    const held = minting[20]!;
    const { client } = await openSession(target.crm.superuserUrl);
    await client.query(`BEGIN; CREATE ROLE ${held.leaseId.replace('lse_', 'mayfly_')}`);
    const heldMint = target.mint(held);
    const others = minting.filter((order) => order !== held);
    const [leases, ends] = await Promise.all([
      Promise.all(others.map((order) => target.mint(order))),
      Promise.all(ending.map(({ order }) => target.revoke(order))),
    ]);
    expect(ends.every(({ kind }) => kind === 'revoked')).toBe(true);
    for (const { url } of leases) expect(await rows(url, 'SELECT id FROM emea.cases')).toEqual([{ id: 1 }]);
    await client.end();
    await heldMint;
    const outcomes = await Promise.all(minting.map((order) => target.revoke(order)));
    expect(outcomes.every(({ kind }) => kind === 'revoked')).toBe(true);
  });

  it('end all others when one lease of the group holds its role', async () => {
    const leases = await Promise.all(Array.from({ length: AT_ONCE }, () => target.mint()));
    const [holder, ...others] = leases;
    const { client, ended } = await openSession(holder!.url);
    await client.query(`BEGIN; ALTER ROLE ${holder!.role} PASSWORD 'x'`);
    const outcomes = await Promise.all([holder!, ...others].map(({ order }) => target.revoke(order)));
    expect(outcomes.every(({ kind }) => kind === 'revoked')).toBe(true);
    expect(await ended).toBeInstanceOf(Error);
    const names = leases.map(({ role }) => `'${role}'`).join();
    expect(await target.asSuperuser(`SELECT FROM pg_roles WHERE rolname IN (${names})`)).toEqual([]);
  });

  it('send nothing for a caller that has gone', async () => {
    const { client } = await openSession(target.crm.superuserUrl);
    await client.query('BEGIN; LOCK TABLE pg_catalog.pg_auth_members IN SHARE MODE');
    const first = target.mint();
    const gone = Array.from({ length: 8 }, () => target.orderFor());
    const signal = AbortSignal.timeout(100);
    const refused = await Promise.allSettled(
      gone.map((order) => target.provider.mint(order, target.provider.plan(order), signal)),
    );
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
    await client.end();
    const { order } = await first;
    for (const one of gone) expect(['revoked', 'already_gone']).toContain((await target.revoke(one)).kind);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    const later = target.orderFor();
    await target.provider.mint(later, target.provider.plan(later), patience());
    await target.revoke(later);
  });
});
