import { beforeEach, describe, expect, it } from '@jest/globals';
import { type ChangeId, type JsonObject } from '@mayfly/kernel';
import { FakeDeclarationStore, TestClock } from '@mayfly/testing';
import type { Precondition } from '../records/precondition.js';
import { agentOf, changeIn, connectionOf, issuerOf, personOf, productionOver, refusalIn } from './changes.fixture.js';
import { MAX_OPEN_CHANGES } from './document-change.js';

const NEW: Precondition = { must: 'be-new', otherwise: 'precondition_failed' };
const at = (...revisions: readonly number[]): Precondition => ({ must: 'match', revisions });
const [ANN, BEN, EVE] = [personOf('ann'), personOf('ben'), personOf('eve', ['sales'])];
const WEEK = 7 * 86_400;

let clock: TestClock;
let store: FakeDeclarationStore;
let production: ReturnType<typeof productionOver>;
beforeEach(() => {
  clock = new TestClock();
  store = new FakeDeclarationStore(clock);
  production = productionOver(store, clock);
});

const putCrm = (spec: JsonObject, precondition: Precondition, by = ANN) =>
  production.declarations.put('Connection', 'crm', connectionOf('crm', spec), precondition, by);
const approve = (id: ChangeId, by = BEN) => production.changes.approve(id, undefined, by);
const stateOf = async (id: ChangeId) => (await production.changes.view(id)).state;
const entries = () => store.entries.map(({ body }) => JSON.parse(body) as JsonObject);

/** Declares the connection `crm` by two persons. */
async function declareCrm(): Promise<void> {
  await approve(await changeIn(putCrm({}, NEW)));
}

describe('a change that waits', () => {
  it('a change that waits is not in force, shows what it would do, and takes effect with the approval of another person', async () => {
    await declareCrm();
    const id = await changeIn(putCrm({ maxConcurrentCalls: 8 }, at(1)));
    expect((await production.declarations.find('Connection', 'crm')).revision).toBe(1);
    expect(await production.changes.view(id)).toMatchObject({
      ...{ id, kind: 'Connection', name: 'crm', operation: 'put', state: 'open', stale: false, baseRevision: 1 },
      author: { kind: 'person', issuer: 'staff', subject: 'ann' },
      before: { revision: 1, spec: { owner: 'crm' } },
      asked: { spec: { maxConcurrentCalls: 8 } },
      differences: [{ pointer: '/spec/maxConcurrentCalls', after: 8 }],
    });
    expect(await production.changes.approve(id, 'seen with hunter2', BEN)).toMatchObject({
      ...{ state: 'approved', closedBy: { subject: 'ben' }, reason: 'seen with [redacted]' },
      differences: [{ pointer: '/spec/maxConcurrentCalls' }],
    });
    expect(await production.declarations.find('Connection', 'crm')).toMatchObject({
      ...{ revision: 2, updatedBy: 'staff:ann', spec: { maxConcurrentCalls: 8 } },
    });
    expect(entries().slice(-3)).toMatchObject([
      { type: 'change.requested', actor: { subject: 'ann' }, changed: ['/spec/maxConcurrentCalls'], baseRevision: 1 },
      { type: 'declaration.changed', actor: { subject: 'ann' }, name: 'crm' },
      { type: 'change.approved', actor: { subject: 'ben' }, author: 'staff:ann', change: id },
    ]);
  });

  it('a change that waits is decided by nobody who asked for it, and by one person of two issuers as by two', async () => {
    const id = await changeIn(putCrm({}, NEW));
    expect(await refusalIn(approve(id, ANN))).toMatch(/^policy_denied four-eyes /);
    expect(await refusalIn(production.changes.refuse(id, 'no', ANN))).toMatch(/^policy_denied four-eyes /);
    expect(await stateOf(id)).toBe('open');
    await approve(id, personOf('ann', ['crm'], ['platform'], 'partners'));
    expect(await stateOf(id)).toBe('approved');
  });

  it('a change that waits is refused with a reason, and then nobody can decide on it', async () => {
    const id = await changeIn(putCrm({}, NEW));
    expect(await production.changes.refuse(id, 'not this one', BEN)).toMatchObject({
      ...{ state: 'refused', reason: 'not this one', closedBy: { subject: 'ben' } },
    });
    expect(await refusalIn(approve(id))).toMatch(/^conflict - .* is refused;/);
    expect(await refusalIn(production.changes.refuse(id, 'again', BEN))).toMatch(/^conflict - /);
    expect(entries().at(-1)).toMatchObject({
      type: 'change.refused',
      actor: { subject: 'ben' },
      reason: 'not this one',
    });
    await expect(production.declarations.find('Connection', 'crm')).rejects.toThrow('not_found');
  });

  it('a change that waits is replaced by a later one of its author, and keeps every other person out', async () => {
    const first = await changeIn(putCrm({}, NEW));
    expect(await changeIn(putCrm({}, NEW))).toBe(first);
    const second = await changeIn(putCrm({ maxConcurrentCalls: 8 }, NEW));
    expect(await production.changes.view(first)).toMatchObject({ state: 'superseded', supersededBy: second });
    expect(await refusalIn(approve(first))).toContain(`superseded by \`${second}\``);
    expect(await refusalIn(putCrm({}, NEW, BEN))).toMatch(
      new RegExp(`^conflict - change \`${second}\` of \`staff:ann\``),
    );
    await approve(second);
    expect((await production.declarations.find('Connection', 'crm')).spec).toMatchObject({ maxConcurrentCalls: 8 });
  });

  it('a change that waits is taken back by its author who sends what is in force', async () => {
    await declareCrm();
    const id = await changeIn(putCrm({ maxConcurrentCalls: 8 }, at(1)));
    expect(await putCrm({}, at(1), BEN)).toMatchObject({ revision: 1 });
    expect(await stateOf(id)).toBe('open');
    expect(await putCrm({}, at(1))).toMatchObject({ revision: 1 });
    expect(await stateOf(id)).toBe('superseded');
  });

  it('a change that waits lapses after seven days, with an entry, and makes room for another', async () => {
    const id = await changeIn(putCrm({}, NEW));
    clock.advance(WEEK - 1);
    expect([await stateOf(id), await production.changes.lapse()]).toEqual(['open', 0]);
    clock.advance(1);
    expect(await stateOf(id)).toBe('lapsed');
    expect(await refusalIn(approve(id))).toMatch(/^conflict - .* is lapsed;/);
    expect(entries().at(-1)).toMatchObject({ type: 'change.lapsed', actor: { kind: 'mayfly' }, change: id });
    const [mine, others] = [await changeIn(putCrm({}, NEW, BEN)), await changeIn(create('erp'))];
    clock.advance(WEEK);
    const again = await changeIn(putCrm({}, NEW));
    expect([await stateOf(mine), await stateOf(again)]).toEqual(['lapsed', 'open']);
    expect([await production.changes.lapse(), await production.changes.lapse()]).toEqual([1, 0]);
    expect((await store.changes.find(others))?.closed?.state).toBe('lapsed');
  });

  const create = (name: string) => production.declarations.create('Connection', connectionOf(name), ANN);

  it('a change that waits takes its place: at most a thousand wait', async () => {
    const change = (await store.changes.find(await changeIn(putCrm({}, NEW))))!;
    await store.underLock(async (state) => {
      const numbers = Array.from({ length: MAX_OPEN_CHANGES - 1 }, (_, count) => String(count).padStart(4, '0'));
      for (const number of numbers) {
        const id = `${change.id.slice(0, -4)}${number}` as ChangeId;
        await state.addChange({ ...change, id, name: `c${number}` }, store.entries[0]!);
      }
    });
    expect(await refusalIn(create('one-more'))).toMatch(/^conflict - 1000 changes wait already/);
  });
});

describe('a document that moves on', () => {
  it('a document that moves on takes no approval of a change that was written before, which is then closed', async () => {
    await declareCrm();
    const id = await changeIn(putCrm({ maxConcurrentCalls: 8 }, at(1)));
    await move();
    expect(await production.changes.view(id)).toMatchObject({ state: 'open', stale: true });
    expect(await refusalIn(approve(id))).toMatch(/^precondition_failed - `crm` has moved on/);
    expect(await stateOf(id)).toBe('superseded');
    expect(entries().at(-1)).toMatchObject({ type: 'change.superseded', actor: { subject: 'ben' }, change: id });
    expect((await production.declarations.find('Connection', 'crm')).spec).not.toHaveProperty('maxConcurrentCalls');
  });

  it('a document that moves on lets another person ask for a change', async () => {
    await declareCrm();
    const id = await changeIn(putCrm({ maxConcurrentCalls: 8 }, at(1)));
    await move();
    await changeIn(putCrm({ maxConcurrentCalls: 9 }, at(2), BEN));
    expect(await stateOf(id)).toBe('superseded');
  });

  it('a document that is deleted closes its change, and one that is declared anew takes no older one', async () => {
    await declareCrm();
    const kept = await changeIn(putCrm({ maxConcurrentCalls: 8 }, at(1)));
    const change = (await store.changes.find(kept))!;
    await production.declarations.remove('Connection', 'crm', at(1), BEN);
    expect(await stateOf(kept)).toBe('superseded');
    await approve(await changeIn(putCrm({ maxConcurrentCalls: 2 }, NEW)));
    const again = { ...change, id: `${kept.slice(0, -1)}z` as ChangeId };
    await store.underLock((state) => state.addChange(again, store.entries[0]!));
    expect(await refusalIn(approve(again.id))).toMatch(/^precondition_failed/);
  });

  /** Disables the connection at once. */
  const move = () =>
    store.underLock((state) =>
      state.moveRecord({ kind: 'Connection', name: 'crm', to: 'enabled', by: EVE, entry: store.entries[0]! }),
    );
});

describe('a run of documents', () => {
  it('a run of documents may name one that waits; it is approved in the same order, and in no other', async () => {
    const { declarations } = production;
    const issuer = await changeIn(declarations.create('Issuer', issuerOf('ci'), ANN));
    const agent = await changeIn(declarations.create('Agent', agentOf('one'), ANN));
    expect(await refusalIn(approve(agent))).toMatch(/^invalid_declaration - /);
    expect(await stateOf(agent)).toBe('open');
    await approve(issuer);
    await approve(agent);
    expect(await declarations.find('Agent', 'one')).toMatchObject({ agent: { state: 'registered' } });
  });

  it.each([
    ['an agent of an issuer that nobody declares', () => production.declarations.create('Agent', agentOf('one'), ANN)],
    ['a connection of an unknown provider', () => putCrm({ provider: 'nothing' }, NEW)],
    ['an issuer with a private address', () => issuer({ issuer: 'https://10.0.0.1' })],
  ])('a run of documents is refused before anything waits: %s', async (_, act) => {
    expect(await refusalIn(act())).toMatch(/^invalid_declaration - /);
    expect(await production.changes.list({ limit: 10 })).toEqual({ items: [], nextCursor: null });
    expect(store.entries).toEqual([]);
  });

  const issuer = (spec: JsonObject) => production.declarations.create('Issuer', issuerOf('ci', spec), ANN);

  it('a change gives roles to nobody: an issuer with roles does not even wait', async () => {
    const roles = { platform: { claim: 'groups', values: ['mine'] } };
    expect(await refusalIn(issuer({ roles }))).toMatch(/^policy_denied issuer-roles /);
    expect(store.entries).toEqual([]);
  });
});

describe('the owner of a document', () => {
  it.each([
    ['a document of another group', () => putCrm({ owner: 'sales' }, NEW), 'belongs to `sales`'],
    ['an issuer without an owner', () => unowned(ANN), 'names no owner'],
    ['a person without groups', () => putCrm({}, NEW, personOf('ann', [])), 'belongs to `crm`'],
  ])('the owner of a document keeps others out of it: %s', async (_, act, words) => {
    expect(await refusalIn(act())).toMatch(new RegExp(`^policy_denied ownership .*${words}`));
    expect(store.entries).toEqual([]);
  });

  const unowned = (by: typeof ANN) => {
    const { kind, metadata, spec } = issuerOf('ci') as { kind: string; metadata: JsonObject; spec: JsonObject };
    const { owner: _, ...rest } = spec;
    return production.declarations.create('Issuer', { kind, metadata, spec: rest }, by);
  };

  it('the owner of a document stays until a person of both groups, or an administrator, hands it over', async () => {
    await declareCrm();
    expect(await refusalIn(putCrm({ owner: 'sales' }, at(1)))).toContain('belongs to `sales`');
    expect(await refusalIn(putCrm({ owner: 'sales' }, at(1), EVE))).toContain('belongs to `crm`');
    expect(await refusalIn(production.declarations.remove('Connection', 'crm', at(1), EVE))).toContain('`crm`');
    const id = await changeIn(putCrm({ owner: 'sales' }, at(1), personOf('bob', ['crm', 'sales'])));
    expect(await refusalIn(approve(id, BEN))).toContain('belongs to `sales`');
    expect(await refusalIn(approve(id, EVE))).toContain('belongs to `crm`');
    await approve(id, personOf('root', [], ['platform', 'administrator']));
    expect((await production.declarations.find('Connection', 'crm')).spec).toMatchObject({ owner: 'sales' });
    await changeIn(unowned(personOf('root', [], ['platform', 'administrator'])));
  });

  it.each([
    ['an approver, for every owner', ['approver'], undefined],
    ['an operator, not for documents', ['operator'], 'operators decide on steps'],
    ['a platform person of another group', ['platform'], 'belongs to `crm`'],
    ['a platform person of another group who is an operator', ['platform', 'operator'], 'belongs to `crm`'],
    ['nobody without a role', [], 'belongs to `crm`'],
  ] as const)('the owner of a document and those who decide on its changes: %s', async (_, roles, refused) => {
    const id = await changeIn(putCrm({}, NEW));
    const decided = approve(id, personOf('other', ['sales'], roles));
    if (refused === undefined) await decided;
    else expect(await refusalIn(decided)).toMatch(new RegExp(`^policy_denied ownership .*${refused}`));
    expect(await stateOf(id)).toBe(refused === undefined ? 'approved' : 'open');
  });
});
