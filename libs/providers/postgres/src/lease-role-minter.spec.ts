import { describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import { NotConnected } from './errors.js';
import { LeaseRoleMinter, type LeaseRoleOrder } from './lease-role-minter.js';
import type { ServerFacts } from './server-facts.js';
import type { DatabaseTarget } from './target.js';

const AT = new Date('2026-01-01T00:00:00Z');
const SCOPE = `mayfly_scope_${'0'.repeat(40)}`;
const FACTS: ServerFacts = {
  version: 180_004,
  identity: '1/2',
  database: 'crm',
  role: 'mayfly_lessor',
  creators: [],
  functions: false,
  marksByFunction: false,
  isSuperuser: false,
  preparedTransactions: 0,
  connections: 100,
  clock: { serverMs: 0, sentMs: 0, receivedMs: 0 },
  process: 1,
};

function leaseOrder(name: string): LeaseRoleOrder {
  const order = {
    leaseId: newId('lse'),
    taskId: newId('tsk'),
    agent: { id: newId('agt'), name: 'agent' },
    template: { name: 'template', version: 1 },
    config: { url: 'postgresql://x', scramIterations: 1, maxConnections: 1, connectionCapacity: 1_000 },
    scope: { grants: [] },
    issuedAt: AT,
    expiresAt: AT,
    mintBy: AT,
  };
  return { order, handle: { role: `mayfly_${name}`, scopeRole: SCOPE }, wanted: [], verifier: 'x' };
}

/** A target whose server answers each message that creates roles as `answer` says. */
function targetsWith(answer: (roles: readonly string[]) => Error | undefined) {
  const messages: (readonly string[])[] = [];
  const session = {
    query: (text: string) => {
      const roles = [...text.matchAll(/CREATE ROLE "mayfly_(\w+)"/g)].map(([, name]) => String(name));
      if (roles.length === 0) return Promise.resolve({ rows: [{ sum: '1' }] });
      messages.push(roles);
      const failure = answer(roles);
      return failure === undefined ? Promise.resolve({ rows: [] }) : Promise.reject(failure);
    },
  };
  const target = {
    verifiedScopes: new Set([SCOPE]),
    facts: () => Promise.resolve(FACTS),
    use: (_: AbortSignal, work: (given: typeof session) => Promise<unknown>) => work(session),
  } as unknown as DatabaseTarget;
  return { targets: { grouped: target, alone: target }, messages };
}

const failing = (code: string): Error => Object.assign(new Error(code), { code });
const patience = (): AbortSignal => AbortSignal.timeout(5_000);
const create = (minter: LeaseRoleMinter, targets: ReturnType<typeof targetsWith>['targets'], names: string[]) =>
  Promise.allSettled(names.map((name) => minter.create(targets, leaseOrder(name), patience())));

describe('LeaseRoleMinter', () => {
  it('creates the roles that arrive together by one message', async () => {
    const { targets, messages } = targetsWith(() => undefined);
    const outcomes = await create(new LeaseRoleMinter(), targets, ['a', 'b', 'c']);
    expect(outcomes.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(messages).toEqual([['a', 'b', 'c']]);
  });

  it.each(['42710', '23505', '42501', '55P03', 'MF001', 'MF004'])(
    'creates each role alone when the server rolled the group back (SQLSTATE %s), so that the bad one fails alone',
    async (code) => {
      const { targets, messages } = targetsWith((roles) => (roles.includes('bad') ? failing(code) : undefined));
      const outcomes = await create(new LeaseRoleMinter(), targets, ['a', 'bad', 'c']);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(outcomes[1]).toMatchObject({ reason: { code } });
      expect(messages).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']]);
    },
  );

  it.each([
    ['the connection broke', new Error('Connection terminated unexpectedly')],
    ['the session was ended', failing('57P01')],
    ['the statement took too long', failing('57014')],
    ['the server lost its disk', failing('58030')],
  ])('leaves the outcome of each role unknown, and sends nothing again, when %s', async (_, error) => {
    const { targets, messages } = targetsWith(() => error);
    const outcomes = await create(new LeaseRoleMinter(), targets, ['a', 'b']);
    expect(outcomes).toEqual([
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ]);
    expect(messages).toHaveLength(1);
  });

  it('sends nothing for a caller that aborts while another message is under way, and says so', async () => {
    let release: (() => void) | undefined;
    const { targets, messages } = targetsWith(() => undefined);
    const held = new Promise<void>((resolve) => (release = resolve));
    const { alone } = targets;
    const use: typeof alone.use = async (...given) => {
      await held;
      return alone.use(...given);
    };
    const grouped = Object.assign(Object.create(alone) as typeof alone, { use });
    const minter = new LeaseRoleMinter();
    const first = minter.create({ grouped, alone }, leaseOrder('a'), patience());
    await new Promise(setImmediate);
    const caller = new AbortController();
    const second = minter.create({ grouped, alone }, leaseOrder('b'), caller.signal);
    caller.abort();
    await expect(second).rejects.toBeInstanceOf(NotConnected);
    release?.();
    await first;
    await new Promise(setImmediate);
    expect(messages).toEqual([['a']]);
  });
});
