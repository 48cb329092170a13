import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  MAYFLY,
  type AuditEntry,
  type AuditEntryType,
  type AuditFilter,
  type InstantPosition,
  type RefusalFilter,
} from '@mayfly/audit';
import { addSeconds, newId, type TaskId } from '@mayfly/kernel';
import { bareEntry, createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { insertAudit } from './audit-rows.js';
import { AuditSealer } from './audit-sealer.js';
import { AuditReader } from './audit.reader.js';

const ENTRIES = 50;
const [taskA, taskB] = [newId('tsk'), newId('tsk')];
const HOUR = 3_600;

let database: TestDatabase;
let pool: pg.Pool;
let reader: AuditReader;
let start: Date;
let sealed: AuditEntry[];

beforeAll(async () => {
  database = await createMigratedDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  reader = new AuditReader(pool);
  const { rows } = await pool.query<{ now: Date }>(`SELECT now() - interval '1 day' AS now`);
  start = rows[0]!.now;
  sealed = Array.from({ length: ENTRIES }, (_, n) => entry(n));
  for (const one of sealed) await insertAudit(pool, [one]);
  await sealAll(ENTRIES);
  await ageSeals();
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** One entry an hour; every fifth of task A, every seventh a denial, every second of agent `b`. */
function entry(n: number): AuditEntry {
  const type: AuditEntryType = n % 7 === 0 ? 'task.denied' : 'lease.revoked';
  const at = addSeconds(start, n * (HOUR / 3));
  const agent = n % 2 === 0 ? 'b' : 'a';
  return bareEntry(type, at, MAYFLY, { taskId: n % 5 === 0 ? taskA : taskB, agent }, { n });
}

async function sealAll(count: number): Promise<void> {
  const sealer = new AuditSealer(pool);
  for (let done = 0; done < count;) done += await sealer.seal();
}

/** Lets it look as if each entry had been sealed right after it was written. */
async function ageSeals(): Promise<void> {
  const owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  await owner.query(`ALTER TABLE audit_seal DISABLE TRIGGER audit_seal_append_only;
    UPDATE audit_seal s SET sealed_at = e.at + interval '1 second' FROM audit_entry e WHERE e.batch = s.batch;
    ALTER TABLE audit_seal ENABLE TRIGGER audit_seal_append_only`);
  await owner.end();
}

async function readAll(filter: AuditFilter): Promise<string[]> {
  const found: string[] = [];
  let after: number | undefined;
  do {
    const page = await reader.entries(filter, { limit: 4, after });
    found.push(...page.items.map(({ body }) => body));
    after = page.next;
  } while (after !== undefined);
  return found;
}

describe('the sealed log', () => {
  const at = (n: number) => entry(n).at.toISOString();

  it.each<[string, () => AuditFilter, (n: number) => boolean]>([
    ['everything', () => ({}), () => true],
    ['one type', () => ({ type: 'task.denied' }), (n) => n % 7 === 0],
    ['one task', () => ({ taskId: taskA }), (n) => n % 5 === 0],
    ['one agent', () => ({ agent: 'a' }), (n) => n % 2 === 1],
    ['a time on', () => ({ from: at(10) }), (n) => n >= 10],
    ['a window', () => ({ from: at(10), to: at(20) }), (n) => n >= 10 && n < 20],
    [
      'a window of one agent',
      () => ({ from: at(10), to: at(20), agent: 'b' }),
      (n) => n >= 10 && n < 20 && n % 2 === 0,
    ],
    ['the future', () => ({ from: at(10_000) }), () => false],
  ])('the sealed log is read page by page, in its sequence: %s', async (_, filter, wanted) => {
    const expected = sealed.filter((__, n) => wanted(n)).map(({ body }) => body);
    expect(await readAll(filter())).toEqual(expected);
  });

  it('the sealed log begins with 1 and leaves nothing out', async () => {
    const { items } = await reader.entries({}, { limit: 200 });
    expect(items.map(({ seq }) => seq)).toEqual(Array.from({ length: ENTRIES }, (_, index) => index + 1));
    expect(new Set(items.map(({ log }) => log))).toEqual(new Set([0]));
    expect(items.every(({ leafHash }) => leafHash.length === 32)).toBe(true);
  });
});

describe('the story of a task', () => {
  it('the timeline of a task follows the log over pages, with unsealed entries at its end', async () => {
    const fresh: TaskId = newId('tsk');
    const entries = [1, 2, 3].map((n) => bareEntry('task.renewed', start, MAYFLY, { taskId: fresh }, { n }));
    await insertAudit(pool, entries.slice(0, 1));
    await sealAll(1);
    await insertAudit(pool, entries.slice(1));
    const first = await reader.story(fresh, { limit: 2 });
    const second = await reader.story(fresh, { limit: 2, after: first.next });
    expect([...first.items, ...second.items].map(({ body }) => body)).toEqual(entries.map(({ body }) => body));
    expect(first.items.map(({ log, seq }) => [log, seq])).toEqual([
      [0, ENTRIES + 1],
      [0, undefined],
    ]);
    expect(second.next).toBeUndefined();
  });

  it('the timeline of a task is empty for a task that there is not', async () => {
    expect(await reader.story(newId('tsk'), { limit: 10 })).toEqual({ items: [] });
  });
});

it('the audit reader throws `unavailable` when the database does not answer', async () => {
  const nowhere = new pg.Pool({ connectionString: 'postgresql://nobody:nothing@127.0.0.1:1/none' });
  const lost = new AuditReader(nowhere);
  await expect(lost.entries({}, { limit: 1 })).rejects.toMatchObject({ code: 'unavailable' });
  await expect(lost.story(taskA, { limit: 1 })).rejects.toMatchObject({ code: 'unavailable' });
  await nowhere.end();
});

describe('refused identities', () => {
  const refused = (n: number): AuditEntry =>
    bareEntry('identity.refused', addSeconds(start, Math.floor(n / 3)), MAYFLY, {}, factsOf(n));
  const factsOf = (n: number) => ({
    reason: n % 2 === 0 ? 'audience' : 'unknown_issuer',
    issuer: n % 5 === 0 ? 'https://a.example' : 'ci',
    subject: `"reason":"expired","issuer":"ci ${String(n)}"`,
  });
  let written: AuditEntry[];
  beforeAll(async () => {
    written = Array.from({ length: 40 }, (_, n) => refused(n));
    await insertAudit(pool, written);
  });

  async function read(filter: RefusalFilter): Promise<{ subject: string; at: string }[]> {
    const found: { subject: string; at: string }[] = [];
    let after: InstantPosition | undefined;
    do {
      const page = await reader.refusals(filter, { limit: 7, after });
      found.push(...page.items.map((body) => JSON.parse(body) as { subject: string; at: string }));
      after = page.next;
    } while (after !== undefined);
    return found;
  }

  it.each<[string, () => RefusalFilter, (n: number) => boolean]>([
    ['everything', () => ({}), () => true],
    ['a reason', () => ({ reason: 'audience' }), (n) => n % 2 === 0],
    ['a reason that is in a text only', () => ({ reason: 'expired' }), () => false],
    ['an issuer', () => ({ issuer: 'https://a.example' }), (n) => n % 5 === 0],
    [
      'a window',
      () => ({ from: refused(9).at.toISOString(), to: refused(15).at.toISOString() }),
      (n) => n >= 9 && n < 15,
    ],
  ])('refused identities are read page by page, newest first: %s', async (_, filter, wanted) => {
    const found = await read(filter());
    const expected = written.flatMap((__, n) => (wanted(n) ? [factsOf(n).subject] : []));
    expect(found.map(({ subject }) => subject).toSorted()).toEqual(expected.toSorted());
    expect(found.map(({ at }) => at)).toEqual(
      found
        .map(({ at }) => at)
        .toSorted()
        .toReversed(),
    );
  });

  it('refused identities are found by their index, however many other entries there are', async () => {
    const owner = new pg.Client({ connectionString: database.adminUrl });
    await owner.connect();
    // A table of this size would be read whole.
    await owner.query('SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off');
    const { rows } = await owner.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT id FROM audit_entry WHERE type = 'identity.refused' ORDER BY at DESC, id DESC LIMIT 50`,
    );
    await owner.end();
    const scans = rows.map((row) => row['QUERY PLAN']).filter((line) => line.includes('Scan'));
    expect(scans.length).toBeGreaterThan(1);
    for (const scan of scans) expect(scan).toMatch(/Backward using audit_entry_(first_refusals|\w+_at_id)_idx on/);
  });
});
