import { describe, expect, it } from '@jest/globals';
import type { TrustedIssuer, VerifiedIdentity } from '@mayfly/identity';
import { Problem } from '@mayfly/kernel';
import type { TemplateVersion } from '@mayfly/templates';
import { templateOf, TestClock } from '@mayfly/testing';
import { Catalog, type CatalogRows, type RegisteredAgent } from './catalog.js';

const NOTHING: CatalogRows = {
  revision: '1',
  issuers: [],
  agents: [],
  connections: [],
  templates: [],
  lockdowns: [],
  policies: [],
};
const names = { issuer: 'ci', acceptedBy: ['ci'], issuerNames: ['ci'] };
const identity = { kind: 'workload', ...names, subject: 'one', claims: {} } as unknown as VerifiedIdentity;

function rowsWith(agent: string): CatalogRows {
  const spec = { owner: 'a', backupOwner: 'b', identities: [{ issuer: 'ci', subject: 'one', runtime: 'laptop' }] };
  const connection = { name: agent, spec: { provider: 'token', owner: 'a', config: {} } };
  const row = { id: 'agt_x', name: agent, labels: {}, state: 'active', spec } as unknown as RegisteredAgent;
  return { ...NOTHING, agents: [row], connections: [connection] };
}

/** A load that the test answers. */
interface Load {
  /** true when it has to read every document again */
  readonly all: boolean;
  answer(rows: CatalogRows): void;
  fail(error: Error): void;
}

/** A catalog over a store and issuers that answer when the test says so. */
function scene() {
  const clock = new TestClock();
  const loads: Load[] = [];
  const trusted: (readonly TrustedIssuer[])[] = [];
  const stored = { revision: '1', unread: false };
  const reported: unknown[] = [];
  const scene = {
    clock,
    loads,
    trusted,
    stored,
    reported,
    rejectIssuers: false,
    catalog: undefined as unknown as Catalog,
  };
  const revision = async (): Promise<string> => {
    if (stored.unread) throw new Problem('unavailable', 'the database does not answer');
    return stored.revision;
  };
  const load = (all: boolean): Promise<CatalogRows> =>
    new Promise((answer, fail) => {
      loads.push({ all, answer, fail });
    });
  const replaceIssuers = (issuers: readonly TrustedIssuer[]): void => {
    if (scene.rejectIssuers) throw new Problem('invalid_declaration', 'two of them contradict each other');
    trusted.push(issuers);
  };
  scene.catalog = new Catalog({ load, revision }, { replaceIssuers }, clock, (error) => reported.push(error));
  return scene;
}

/** Runs all pending callbacks. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function refreshed(it: ReturnType<typeof scene>, rows: CatalogRows): Promise<void> {
  const done = it.catalog.refresh();
  await settle();
  it.loads.at(-1)?.answer(rows);
  await done;
}

const agentOf = ({ catalog }: ReturnType<typeof scene>) => catalog.bindingOf(identity)?.agent.name;

describe('refreshing the catalog', () => {
  it('a refresh of the catalog puts everything that was read in place', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    expect(agentOf(it)).toBe('first');
    expect(it.catalog.find('first')).toBeDefined();
    expect(it.trusted).toHaveLength(1);
  });

  it('a refresh of the catalog changes nothing when the issuers are refused', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    it.rejectIssuers = true;
    await expect(refreshed(it, rowsWith('second'))).rejects.toMatchObject({ code: 'invalid_declaration' });
    expect(agentOf(it)).toBe('first');
    expect(it.catalog.find('second')).toBeUndefined();
  });

  it('a refresh of the catalog changes nothing when the store does not answer, and tries again afterwards', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    const failing = it.catalog.refresh();
    await settle();
    it.loads.at(-1)?.fail(new Error('gone'));
    await expect(failing).rejects.toThrow('gone');
    expect(agentOf(it)).toBe('first');
    await refreshed(it, rowsWith('second'));
    expect(agentOf(it)).toBe('second');
  });

  it('a refresh of the catalog waits for the one before, so that the last read stays', async () => {
    const it = scene();
    const older = it.catalog.refresh();
    await settle();
    const newer = it.catalog.refresh();
    await settle();
    expect(it.loads).toHaveLength(1);
    it.loads[0]?.answer(rowsWith('older'));
    await older;
    await settle();
    it.loads[1]?.answer(rowsWith('newer'));
    await newer;
    expect(agentOf(it)).toBe('newer');
  });

  it('a refresh of the catalog reads once for all who ask while a load is under way, and never answers them with that load', async () => {
    const it = scene();
    const first = it.catalog.refresh();
    await settle();
    const others = Promise.all([it.catalog.refresh(), it.catalog.refresh(), it.catalog.refresh()]);
    it.loads[0]?.answer(rowsWith('before'));
    await first;
    await settle();
    expect(it.loads).toHaveLength(2);
    it.loads[1]?.answer(rowsWith('after'));
    await others;
    expect(agentOf(it)).toBe('after');
    expect(it.loads).toHaveLength(2);
  });
});

describe('following the stored revision', () => {
  it('following the stored revision reads everything once for each change, and only the revision otherwise', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    expect(await it.catalog.follow()).toBe(false);
    expect(it.loads).toHaveLength(1);
    it.stored.revision = '2';
    const following = it.catalog.follow();
    await settle();
    it.loads[1]?.answer({ ...rowsWith('second'), revision: '2' });
    expect(await following).toBe(true);
    expect(agentOf(it)).toBe('second');
    expect(await it.catalog.follow()).toBe(false);
    expect(it.loads).toHaveLength(2);
  });

  it('following the stored revision reads again at the next look when the read of a change failed', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    it.stored.revision = '2';
    const failing = it.catalog.follow();
    await settle();
    it.loads[1]?.fail(new Error('gone'));
    await expect(failing).rejects.toThrow('gone');
    void it.catalog.follow().catch(() => undefined);
    await settle();
    expect(it.loads).toHaveLength(3);
  });

  it('following the stored revision keeps the state in force while the revision is the same, and refuses 30 s after the last look', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    for (let round = 0; round < 5; round += 1) {
      it.clock.advance(8);
      await it.catalog.follow();
      expect(agentOf(it)).toBe('first');
    }
    it.stored.unread = true;
    it.clock.advance(31);
    await expect(it.catalog.follow()).rejects.toMatchObject({ code: 'unavailable' });
    expect(() => agentOf(it)).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });

  it('following the stored revision reads every document again after 10 s without a look, since a backup may be back', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    it.stored.revision = '2';
    void it.catalog.follow();
    await settle();
    it.loads[1]?.answer({ ...rowsWith('second'), revision: '2' });
    await settle();
    it.clock.advance(11);
    const following = it.catalog.follow();
    await settle();
    it.loads[2]?.answer({ ...rowsWith('restored'), revision: '2' });
    expect(await following).toBe(true);
    expect(it.loads.map(({ all }) => all)).toEqual([false, false, true]);
    expect(agentOf(it)).toBe('restored');
  });

  it('following the stored revision does not take a state for the stored one whose read failed', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    it.stored.revision = '2';
    it.clock.advance(31);
    const failing = it.catalog.follow();
    await settle();
    it.loads[1]?.fail(new Error('gone'));
    await expect(failing).rejects.toThrow('gone');
    expect(() => agentOf(it)).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });
});

describe('a catalog that is out of date', () => {
  const asks: [string, (catalog: Catalog) => unknown][] = [
    ['a template', (catalog) => catalog.current('read')],
    ['who an identity is', (catalog) => catalog.bindingOf(identity)],
    ['whether it is fresh', (catalog) => catalog.requireFresh()],
  ];

  it.each(asks)('a catalog that was never read does not answer for %s', (_, ask) => {
    expect(() => ask(scene().catalog)).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });

  it.each(asks)('a catalog that was read over 30 s ago does not answer for %s', async (_, ask) => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    it.clock.advance(30);
    expect(() => ask(it.catalog)).not.toThrow();
    it.clock.advance(1);
    expect(() => ask(it.catalog)).toThrow(
      expect.objectContaining({
        code: 'unavailable',
        retryAfterSeconds: 5,
        extensions: { reason: 'declarations-unread' },
      }),
    );
    await refreshed(it, rowsWith('first'));
    expect(() => ask(it.catalog)).not.toThrow();
  });

  it('a catalog that is out of date counts from when the reading began', async () => {
    const it = scene();
    const done = it.catalog.refresh();
    await settle();
    it.clock.advance(31);
    it.loads[0]?.answer(rowsWith('first'));
    await done;
    expect(() => it.catalog.requireFresh()).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });

  it('a catalog that is out of date stays so after a failed refresh', async () => {
    const it = scene();
    await refreshed(it, rowsWith('first'));
    it.clock.advance(31);
    it.rejectIssuers = true;
    await expect(refreshed(it, rowsWith('first'))).rejects.toThrow();
    expect(() => it.catalog.current('read')).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });
});

describe('templates in the catalog', () => {
  const { version } = templateOf({});
  const withTemplate = (template: TemplateVersion): CatalogRows => ({ ...NOTHING, templates: [template] });

  it('a template in the catalog is compiled once for all requests, also over a refresh that did not change it', async () => {
    const it = scene();
    await refreshed(it, withTemplate(version));
    const compiled = it.catalog.current(version.name);
    expect(compiled?.version).toBe(version);
    await refreshed(it, withTemplate(version));
    expect(it.catalog.current(version.name)).toBe(compiled);
    await refreshed(it, withTemplate({ ...version, version: 2 }));
    expect(it.catalog.current(version.name)?.version.version).toBe(2);
  });

  it('a template in the catalog that no longer compiles is out of force and reported once, and harms no other', async () => {
    const it = scene();
    const broken = { ...version, name: 'broken', spec: { ...version.spec, parameters: { type: 'text' } } };
    await refreshed(it, { ...NOTHING, templates: [broken, version] });
    for (let request = 0; request < 2; request += 1) expect(it.catalog.current('broken')).toBeUndefined();
    expect(it.reported).toEqual([expect.objectContaining({ code: 'invalid_template' })]);
    expect(it.catalog.current(version.name)).toBeDefined();
  });
});

describe('lockdowns in the catalog', () => {
  const task = {
    agent: 'first',
    template: 'read',
    owners: ['c'],
    runtime: 'laptop',
    issuer: 'ci',
    connections: ['first'],
  };
  const under = (kind: 'agent' | 'owner', name: string): CatalogRows => ({
    ...rowsWith('first'),
    lockdowns: [{ id: 'lkd_x', scope: { kind, name } }],
  });

  it.each([
    ['agent', 'first', true],
    ['agent', 'second', false],
    ['owner', 'a', true],
    ['owner', 'c', true],
    ['owner', 'b', false],
  ] as const)('a lockdown of %s %s in the catalog covers the task: %s', async (kind, name, covered) => {
    const it = scene();
    await refreshed(it, under(kind, name));
    expect(it.catalog.lockdownOf(task)?.id).toBe(covered ? 'lkd_x' : undefined);
  });

  it('a lockdown in the catalog covers by the owner of the connection', async () => {
    const it = scene();
    await refreshed(it, under('owner', 'a'));
    expect(it.catalog.lockdownOf({ ...task, agent: 'second' })?.id).toBe('lkd_x');
    expect(it.catalog.lockdownOf({ ...task, agent: 'second', connections: [] })).toBeUndefined();
  });

  it('a catalog that was not compared with the store for 5 s tells of no lockdown, and throws', async () => {
    const it = scene();
    expect(() => it.catalog.lockdownOf(task)).toThrow('may have missed a lockdown');
    await refreshed(it, rowsWith('first'));
    it.clock.advance(5);
    expect(it.catalog.lockdownOf(task)).toBeUndefined();
    it.clock.advance(0.001);
    expect(() => it.catalog.lockdownOf(task)).toThrow('may have missed a lockdown');
  });
});
