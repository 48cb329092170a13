import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Minted, MintOrder } from '@mayfly/credentials';
import { addSeconds, newId } from '@mayfly/kernel';
import { DummyProvider } from './dummy.provider.js';
import type { MintFault } from './dummy-switches.js';
import { DummyScopeSchema, type DummyConfig, type DummyHandle, type DummyScope } from './dummy.schemas.js';

type Order = MintOrder<DummyConfig, DummyScope>;
const START = new Date('2026-01-01T00:00:00Z');

describe('DummyProvider', () => {
  let now: Date;
  let provider: DummyProvider;

  beforeEach(() => {
    now = START;
    provider = new DummyProvider({ now: () => now });
  });

  const orderFor = (overrides: Partial<Order> = {}): Order => ({
    leaseId: newId('lse'),
    taskId: newId('tsk'),
    agent: { id: newId('agt'), name: 'support-agent' },
    template: { name: 'support-read-cases', version: 1 },
    config: {},
    scope: { permissions: ['cases.read'] },
    issuedAt: START,
    expiresAt: addSeconds(START, 600),
    mintBy: addSeconds(START, 30),
    ...overrides,
  });
  const mint = (order: Order, signal = new AbortController().signal): Promise<Minted<DummyHandle>> =>
    provider.mint(order, provider.plan(order), signal);
  const revoke = (order: Order): ReturnType<DummyProvider['revoke']> =>
    provider.revoke({ ...order, handle: provider.plan(order) });

  it('DummyProvider lets a credential do what its scope says until it expires', async () => {
    const { secret } = await mint(orderFor());
    const token = secret.token as string;
    expect(provider.allows(token, 'cases.read')).toBe(true);
    expect(provider.allows(token, 'cases.write')).toBe(false);
    now = addSeconds(START, 600);
    expect(provider.allows(token, 'cases.read')).toBe(false);
    expect(provider.live()).toEqual([]);
  });

  it('DummyProvider moves the expiry of a living credential', async () => {
    const order = orderFor();
    await mint(order);
    await provider.renew({ ...order, expiresAt: addSeconds(START, 900) }, provider.plan(order));
    now = addSeconds(START, 700);
    expect(provider.live()).toHaveLength(1);
  });

  it.each<[MintFault, string, number]>([
    ['fail before effect', 'provider_rejected', 0],
    ['fail after effect', 'provider_unavailable', 1],
  ])('DummyProvider can %s', async (fault, code, live) => {
    provider.switches.failMint(fault);
    await expect(mint(orderFor())).rejects.toMatchObject({ code });
    expect(provider.live()).toHaveLength(live);
  });

  it.each<[MintFault, number]>([
    ['hang before effect', 0],
    ['hang after effect', 1],
  ])('DummyProvider can %s until the signal', async (fault, live) => {
    const controller = new AbortController();
    provider.switches.failMint(fault);
    const minting = mint(orderFor(), controller.signal);
    setImmediate(() => {
      controller.abort();
    });
    await expect(minting).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(provider.live()).toHaveLength(live);
  });

  it('DummyProvider can be slow, and gives up with the signal', async () => {
    provider.switches.slowMint(1);
    await mint(orderFor());
    provider.switches.slowMint(600_000);
    const controller = new AbortController();
    const minting = mint(orderFor(), controller.signal);
    controller.abort();
    await expect(minting).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(provider.live()).toHaveLength(1);
  });

  it('DummyProvider can lose revocations, a given number of times', async () => {
    const order = orderFor();
    await mint(order);
    provider.switches.loseRevocations(2);
    const outcomes = [await revoke(order), await revoke(order), await revoke(order), await revoke(order)];
    expect(outcomes.map(({ kind }) => kind)).toEqual(['unknown', 'unknown', 'revoked', 'already_gone']);
  });

  it('DummyProvider can fail for one lease and work for the others, until it is reset', async () => {
    const order = orderFor();
    provider.switches.failMint('fail before effect', order.leaseId);
    provider.switches.loseRevocations(1, order.leaseId);
    await expect(mint(order)).rejects.toMatchObject({ code: 'provider_rejected' });
    await mint(orderFor());
    provider.switches.reset();
    await mint(order);
    expect(await revoke(order)).toEqual({ kind: 'revoked' });
  });

  it('DummyProvider answers a probe unless it is down', async () => {
    expect(await provider.probe()).toMatchObject({ checks: [{ outcome: 'ok' }] });
    provider.switches.down = true;
    expect(await provider.probe()).toMatchObject({ checks: [{ outcome: 'failed' }] });
  });

  it.each([[{ permissions: [] }], [{ permissions: [''] }], [{ permissions: ['a'], more: 1 }], [{}]])(
    'DummyProvider refuses the scope %j',
    (scope) => {
      expect(DummyScopeSchema.safeParse(scope).success).toBe(false);
    },
  );
});
