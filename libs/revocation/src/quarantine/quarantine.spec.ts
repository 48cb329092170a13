import { beforeEach, describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { FakeEpochRows, FakeEpochStore, TestClock } from '@mayfly/testing';
import { Quarantine } from './quarantine.js';

let clock: TestClock;
let outside: FakeEpochStore;
let database: FakeEpochRows;
let incarnation: string;
let monotonicMs: number;
let told: string[];
let lineages: number;

beforeEach(() => {
  clock = new TestClock();
  outside = new FakeEpochStore();
  database = new FakeEpochRows(['leaf-1', 'leaf-2']);
  [incarnation, monotonicMs, told, lineages] = ['first', 0, [], 0];
});

/** A replica, whose sessions reach `database` at the time of the call. */
const replica = (store: FakeEpochStore | undefined = outside): Quarantine =>
  new Quarantine({
    outside: store,
    inside: {
      read: (sequence) => database.read(sequence),
      adopt: (lineage) => database.adopt(lineage),
      noteWritten: (lineage) => database.noteWritten(lineage),
      enter: (found, entry) => database.enter(found, entry),
      confirm: (change, entry) => database.confirm(change, entry),
    },
    clock,
    newLineage: () => `lineage-${String((lineages += 1))}`,
    incarnation: () => incarnation,
    tell: (text) => void told.push(text),
    monotonicMs: () => monotonicMs,
  });
/** Seals entries, and lets a second pass. */
const goOn = (...leaves: string[]): void => {
  database.leaves.push(...leaves);
  clock.advance(1);
};
const passes = (quarantine: Quarantine) =>
  quarantine.pass().then(
    () => 'issues',
    (error: unknown) => (error as Problem).code,
  );
const types = () => database.audit.map(({ type }) => type);

/** Takes a copy of the database; the replica then sees an entry that the copy lacks. */
async function backupBefore(leaf: string, one: Quarantine) {
  await one.round();
  const backup = database.copy();
  goOn(leaf);
  await one.round();
  return backup;
}

describe('the quarantine', () => {
  it('a new installation writes its epoch, and the epoch follows the log once a second at most', async () => {
    const one = replica();
    await one.round();
    expect(outside.current?.epoch).toEqual({ lineage: 'lineage-1', sequence: 2, leaf: 'leaf-2' });
    database.leaves.push('leaf-3');
    await one.round();
    expect(outside.writes).toBe(1);
    goOn('leaf-4');
    await one.round();
    await one.round();
    expect([outside.writes, outside.current?.epoch.sequence]).toEqual([2, 4]);
    expect(await passes(one)).toBe('issues');
  });

  it('replicas that start at once share one lineage, and each write of one is no quarantine of another', async () => {
    const replicas = [replica(), replica(), replica()];
    for (let second = 0; second < 5; second++) {
      await Promise.all(replicas.map((one) => one.round()));
      goOn(`more-${String(second)}`);
    }
    expect(await Promise.all(replicas.map(passes))).toEqual(['issues', 'issues', 'issues']);
    expect(types()).toEqual([]);
  });

  it('a failover without loss is no quarantine', async () => {
    const one = replica();
    await one.round();
    [database, incarnation] = [database.copy(), 'second'];
    expect(await passes(one)).toBe('issues');
  });

  it('a restored database issues nothing on any replica, with one audit entry and one line of the log each', async () => {
    const [one, two] = [replica(), replica()];
    const backup = await backupBefore('leaf-3', one);
    await two.round();
    [database, incarnation] = [backup, 'second'];
    expect([await passes(one), await passes(two), await passes(replica())]).toEqual(Array(3).fill('quarantined'));
    expect(types()).toEqual(['quarantine.entered']);
    expect(told).toHaveLength(3);
    expect(outside.current?.epoch.sequence).toBe(3);
  });

  it('a new session to another database is judged before the next grant, without a round', async () => {
    const one = replica();
    const backup = await backupBefore('leaf-3', one);
    database = backup;
    expect(await passes(one)).toBe('issues');
    incarnation = 'second';
    expect(await passes(one)).toBe('quarantined');
  });

  it('a restored database stays in quarantine when its own entries outnumber the lost ones', async () => {
    const one = replica();
    const backup = await backupBefore('leaf-3', one);
    database = backup;
    goOn('other-3', 'other-4', 'other-5');
    expect((await one.round()).record?.cause).toBe('forked');
    expect(await one.mayEndUnknown()).toBe(false);
  });

  it('a replica without a place for the epoch keeps a quarantine that another one has found', async () => {
    const one = replica();
    await one.round();
    outside.current = undefined;
    expect((await one.round()).record).toMatchObject({ cause: 'missing', expected: undefined });
    const blind = replica(null as never);
    expect((await blind.round()).state).toBe('quarantined');
  });

  it('a place that fails stops grants after a minute, ends no unknown object, and grants go on when it is back', async () => {
    const one = replica();
    await one.round();
    outside.failure = new Problem('unavailable', 'the disk is full; make room');
    await expect(one.round()).rejects.toThrow(/the disk is full/);
    monotonicMs = 60_000;
    expect([await passes(one), await one.mayEndUnknown()]).toEqual(['issues', false]);
    monotonicMs = 60_001;
    expect(await passes(one)).toBe('unavailable');
    outside.failure = undefined;
    await one.round();
    expect(await passes(one)).toBe('issues');
  });

  it('a place that fails while the database changes stops grants at once', async () => {
    const one = replica();
    await one.round();
    outside.failure = new Problem('unavailable', 'the disk is full; make room');
    incarnation = 'second';
    expect(await passes(one)).toBe('unavailable');
  });

  it('a process that died between the two halves of its first write is no quarantine', async () => {
    await database.adopt('lineage-1');
    expect((await replica().round()).state).toBe('open');
    expect(outside.current?.epoch.lineage).toBe('lineage-1');
    database = new FakeEpochRows(['leaf-1', 'leaf-2'], { ...(await database.read(0)), isWritten: false });
    await replica().round();
    expect(await database.read(0)).toMatchObject({ isWritten: true });
  });
});
