import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AuditEntry } from '@mayfly/audit';
import type { Principal } from '@mayfly/identity';
import { type LockdownId, newId } from '@mayfly/kernel';
import { type LockdownScope, NO_OBSERVER } from '@mayfly/tasks';
import type { Lockdown, LockdownStore, LockedLockdown } from './lockdown.store.js';
import { Lockdowns } from './lockdowns.js';

const AT = new Date('2030-01-01T00:00:00Z');
const AGENT: LockdownScope = { kind: 'agent', name: 'support-agent' };
const person = (subject: string, issuer = 'staff') => ({ kind: 'person', identity: { issuer, subject } }) as Principal;
const [ada, grace] = [person('ada'), person('grace')];

/** Keeps lockdowns in memory; a scope called `unknown` names nothing. */
class LockdownsInMemory implements LockdownStore {
  readonly rows = new Map<LockdownId, Lockdown>();
  readonly entries: AuditEntry[] = [];
  isEnding = false;
  ending: () => Promise<void> = () => Promise.resolve();

  knows = ({ name }: LockdownScope) => Promise.resolve(name !== 'unknown');
  reach = () => Promise.resolve({ tasks: 1, leases: 2, connections: [{ name: 'crm', leases: 2 }] });
  endTasks = () => this.ending();

  async engage({ id, scope, reason, actor, entry }: Parameters<LockdownStore['engage']>[0]): Promise<LockdownId> {
    const engaged = [...this.rows.values()].find((one) => one.scope.name === scope.name && one.released === undefined);
    if (engaged !== undefined) return engaged.id;
    this.entries.push(entry);
    const progress = { matched: 2, revoked: 0, revoking: 2, abandoned: 0, oldestSeconds: 0 };
    this.rows.set(id, { id, scope, engaged: { at: AT, by: actor, reason }, isEnding: false, progress });
    return id;
  }

  async find(id: LockdownId): Promise<Lockdown | undefined> {
    const row = this.rows.get(id);
    return row && { ...row, isEnding: this.isEnding };
  }

  list: LockdownStore['list'] = async () => ({ items: [...this.rows.values()] });

  async underLock<T>(id: LockdownId, work: (locked: LockedLockdown | undefined) => Promise<T>): Promise<T> {
    const lockdown = await this.find(id);
    return work(
      lockdown && {
        lockdown,
        requestRelease: async (by, reason, entry) => {
          this.rows.set(id, { ...lockdown, releaseRequested: { at: AT, by, reason } });
          this.entries.push(entry);
        },
        withdrawRelease: async (entry) => {
          const { releaseRequested: _, ...kept } = lockdown;
          this.rows.set(id, kept);
          this.entries.push(entry);
        },
        release: async (by, entry) => {
          this.rows.set(id, { ...lockdown, released: { at: AT, by } });
          this.entries.push(entry);
        },
      },
    );
  }
}

let store: LockdownsInMemory;
let lockdowns: Lockdowns;
let done: string[];
let refused: AuditEntry[];
/** the number of leases that each sweep finds */
let due: number[];
let now: Date;
beforeEach(() => {
  store = new LockdownsInMemory();
  [done, refused, due, now] = [[], [], [], AT];
  lockdowns = new Lockdowns({
    store,
    catalog: { refresh: async () => void done.push('refreshed') },
    closing: {
      sweep: async () => {
        done.push('swept');
        return due.shift() ?? 0;
      },
      settled: async () => void done.push('settled'),
    },
    audit: { record: async (entries) => void refused.push(...entries) },
    observer: NO_OBSERVER,
    clock: { now: () => now },
    redact: (text) => text.replace('hunter2', '…'),
    report: (error) => done.push(`reported ${String(error)}`),
  });
});

const engaged = async (): Promise<LockdownId> => (await lockdowns.engage(ada, AGENT, 'incident')).body.id as LockdownId;
const types = () => store.entries.map(({ type }) => type);
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('Lockdowns.engage', () => {
  it('Lockdowns.engage stores who and why without what looks like a secret, and begins to revoke', async () => {
    const { body, isDone } = await lockdowns.engage(ada, AGENT, 'password hunter2 is known');
    expect(isDone).toBe(true);
    expect(body).toMatchObject({
      ...{ scope: AGENT, state: 'engaged', reason: 'password … is known' },
      engagedBy: { kind: 'person', issuer: 'staff', subject: 'ada' },
      progress: { matched: 2, revoking: 2, oldestSeconds: 0 },
    });
    expect(JSON.stringify(store.entries)).not.toContain('hunter2');
    await settled();
    expect(done).toEqual(['refreshed', 'swept']);
  });

  it('Lockdowns.engage revokes until no lease is due, so that it needs no worker', async () => {
    due = [200, 200, 1];
    await engaged();
    await settled();
    expect(done).toEqual(['refreshed', 'swept', 'settled', 'swept', 'settled', 'swept', 'settled', 'swept']);
  });

  it('Lockdowns.engage returns the engaged lockdown of the same scope, and does nothing', async () => {
    const id = await engaged();
    expect(await lockdowns.engage(grace, AGENT, 'again')).toMatchObject({ isDone: false, body: { id } });
    expect(types()).toEqual(['lockdown.engaged']);
  });

  it('Lockdowns.engage ends the tasks of an earlier engagement that are still to be ended', async () => {
    const id = await engaged();
    await settled();
    [store.isEnding, done.length] = [true, 0];
    expect(await lockdowns.engage(grace, AGENT, 'again')).toMatchObject({ isDone: false, body: { id } });
    await settled();
    expect(done).toEqual(['refreshed', 'swept']);
  });

  it('Lockdowns.engage withdraws the request for a release, so that it takes two persons again', async () => {
    const id = await engaged();
    await lockdowns.release(ada, id, 'over');
    expect(await lockdowns.engage(grace, AGENT, 'not over')).toMatchObject({ body: { id, state: 'engaged' } });
    expect(types().at(-1)).toBe('lockdown.engaged');
    expect(JSON.stringify(store.entries.at(-1))).toContain('not over');
    expect(await lockdowns.release(person('linus'), id, 'over')).toMatchObject({ isDone: false });
  });

  it('Lockdowns.engage engages anew when the lockdown in force is released meanwhile', async () => {
    const id = await engaged();
    const engageIn = store.engage.bind(store);
    store.engage = async (lockdown) => {
      const found = await engageIn(lockdown);
      if (found === id) store.rows.set(id, { ...(await store.find(id))!, released: { at: AT, by: lockdown.actor } });
      return found;
    };
    const { body, isDone } = await lockdowns.engage(grace, AGENT, 'again');
    expect({ isDone, state: body.state }).toEqual({ isDone: true, state: 'engaged' });
    expect(body.id).not.toBe(id);
  });

  it('Lockdowns.engage reports what fails after the commit, which stands', async () => {
    store.ending = () => Promise.reject(new Error('no database'));
    expect((await lockdowns.engage(ada, AGENT, 'incident')).isDone).toBe(true);
    await settled();
    expect(done).toEqual(['refreshed', 'reported Error: no database']);
  });

  it.each(['engage', 'preview'] as const)('Lockdowns.%s refuses an unknown scope, and audits that', async (call) => {
    const scope: LockdownScope = { kind: 'agent', name: 'unknown' };
    await expect(lockdowns[call](ada, scope, '')).rejects.toMatchObject({ code: 'not_found' });
    expect(refused).toMatchObject([{ type: 'lockdown.refused' }]);
    expect(types()).toEqual([]);
  });

  it('Lockdowns.engage refuses the issuer of the caller, and no other', async () => {
    const scope = (name: string): LockdownScope => ({ kind: 'issuer', name });
    await expect(lockdowns.engage(ada, scope('staff'), 'incident')).rejects.toMatchObject({
      ...{ code: 'policy_denied', extensions: { control: 'lockdown-of-oneself' } },
    });
    expect(refused).toHaveLength(1);
    expect((await lockdowns.engage(ada, scope('ci'), 'incident')).isDone).toBe(true);
  });
});

describe('Lockdowns.release', () => {
  it('Lockdowns.release takes two persons', async () => {
    const id = await engaged();
    expect(await lockdowns.release(ada, id, 'over')).toMatchObject({
      ...{ isDone: false, body: { state: 'release_requested', releaseRequested: { reason: 'over' } } },
    });
    expect(await lockdowns.release(grace, id, 'agreed')).toMatchObject({ isDone: true, body: { state: 'released' } });
    expect(types()).toEqual(['lockdown.engaged', 'lockdown.release-requested', 'lockdown.released']);
  });

  it('Lockdowns.release refuses the same person twice, and a namesake of another issuer is another person', async () => {
    const id = await engaged();
    await lockdowns.release(ada, id, 'over');
    await expect(lockdowns.release(ada, id, 'over')).rejects.toMatchObject({
      ...{ code: 'policy_denied', extensions: { control: 'lockdown-release' } },
    });
    expect(refused).toHaveLength(1);
    expect((await lockdowns.release(person('ada', 'partners'), id, 'over')).isDone).toBe(true);
  });

  it('Lockdowns.release does not count a request of more than 24 hours ago', async () => {
    const id = await engaged();
    const { body } = await lockdowns.release(ada, id, 'over');
    expect(body.releaseRequested).toMatchObject({ lapsesAt: '2030-01-02T00:00:00.000Z' });
    now = new Date('2030-01-02T00:00:00Z');
    expect((await lockdowns.release(grace, id, 'over')).isDone).toBe(false);
    expect(types()).toEqual(['lockdown.engaged', 'lockdown.release-requested', 'lockdown.release-requested']);
  });

  it('Lockdowns.release refuses two callers of whom one is no person: they are not proven different', async () => {
    const id = await engaged();
    await lockdowns.release(ada, id, 'over');
    const agent = { kind: 'agent', identity: { issuer: 'ci', subject: 'x' }, agent: { name: 'x' }, runtime: 'ci' };
    await expect(lockdowns.release(agent as unknown as Principal, id, 'over')).rejects.toMatchObject({
      extensions: { control: 'lockdown-release' },
    });
  });

  it('Lockdowns.release refuses while tasks are being ended', async () => {
    const id = await engaged();
    store.isEnding = true;
    await expect(lockdowns.release(ada, id, 'over')).rejects.toMatchObject({
      ...{ code: 'conflict', retryAfterSeconds: 1 },
    });
    expect(await lockdowns.view(id)).toMatchObject({ state: 'engaging' });
  });

  it('Lockdowns.release refuses a released lockdown, and an unknown one', async () => {
    const id = await engaged();
    await lockdowns.release(ada, id, 'over');
    await lockdowns.release(grace, id, 'over');
    await expect(lockdowns.release(grace, id, 'over')).rejects.toMatchObject({ code: 'conflict' });
    await expect(lockdowns.release(ada, newId('lkd'), 'over')).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('Lockdowns.list', () => {
  it('Lockdowns.list shows a lockdown of all without a name', async () => {
    await lockdowns.engage(ada, { kind: 'all', name: '' }, 'incident');
    expect(await lockdowns.list({ limit: 10, inForce: true })).toMatchObject({ items: [{ scope: { kind: 'all' } }] });
  });

  it('Lockdowns.list refuses the cursor of another list', async () => {
    await expect(lockdowns.list({ limit: 10, cursor: 'x', inForce: false })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});
