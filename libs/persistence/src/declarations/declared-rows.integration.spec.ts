import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TaskDatabase } from '@mayfly/testing';
import { DeclaredRows, type DeclaredSnapshot } from './declared-rows.js';

let scene: TaskDatabase;
let rows: DeclaredRows;
beforeAll(async () => {
  scene = await TaskDatabase.start();
});
beforeEach(async () => {
  await scene.empty();
  await scene.query('DELETE FROM issuer');
  rows = new DeclaredRows(scene.pool());
});
afterAll(() => scene.stop());

const INSERTS = [
  `INSERT INTO public.issuer (name, spec, updated_by) VALUES ('i', '{}', 'test')`,
  `INSERT INTO public.agent (id, name, spec, updated_by) VALUES ('agt_a', 'a', '{}', 'test'), ('agt_b', 'b', '{}', 'test')`,
  `INSERT INTO public.connection (name, spec, updated_by) VALUES ('c', '{}', 'test')`,
  `INSERT INTO public.template (name) VALUES ('t')`,
];
const PUBLISH = (version: number) => `
  INSERT INTO public.template_version (name, version, labels, spec, digest, author, publisher)
    VALUES ('t', ${String(version)}, '{}', '{"v": ${String(version)}}', 'd${String(version)}', 'test', 'test');
  UPDATE public.template SET state = 'published', current_version = ${String(version)}`;

/** Reads every document with a new reader, which has no rows from an earlier read. */
const everything = () => new DeclaredRows(scene.pool()).read();
const sorted = ({ records, templates }: DeclaredSnapshot) =>
  [records.Issuer, records.Connection, records.Agent, templates].map((kind) =>
    [...(kind as ReadonlyMap<string, object>)].sort(([one], [other]) => one.localeCompare(other)),
  );

describe('declared rows', () => {
  it('declared rows that are read after each change are the stored ones, for every kind and every way to change it', async () => {
    await rows.read();
    const changes = [
      ...INSERTS,
      `UPDATE public.issuer SET spec = '{"changed": true}'`,
      `UPDATE public.agent SET state = 'suspended' WHERE name = 'a'`,
      `UPDATE public.connection SET state = 'disabled'`,
      ...[1, 2].map(PUBLISH),
      `UPDATE public.template SET state = 'retired'`,
      `DELETE FROM public.connection`,
      `DELETE FROM public.issuer; ${INSERTS[0] ?? ''}`,
      `BEGIN; UPDATE public.agent SET labels = '{"x": "y"}' WHERE name = 'b'; UPDATE public.issuer SET revision = 2; COMMIT`,
    ];
    for (const change of changes) {
      await scene.pool().query(change);
      expect(sorted(await rows.read())).toEqual(sorted(await everything()));
    }
  });

  it('declared rows that did not change are the same objects, and nothing is read when no row changed', async () => {
    await scene.pool().query(INSERTS.join(';'));
    const before = await rows.read();
    expect(await rows.read()).toBe(before);
    await scene.pool().query(`UPDATE public.agent SET state = 'suspended' WHERE name = 'a'`);
    const after = await rows.read();
    expect(after.records.Agent.get('b')).toBe(before.records.Agent.get('b'));
    expect(after.records.Agent.get('a')).not.toBe(before.records.Agent.get('a'));
    expect(after.records.Connection).toBe(before.records.Connection);
    expect(after.templates).toBe(before.templates);
  });

  it('declared rows are all read again when a restored backup has a lower revision, and when the caller wants it', async () => {
    await scene.pool().query(INSERTS.join(';'));
    await rows.read();
    const restore = (revision: string, spec: string) =>
      scene.query(`SET session_replication_role = replica; UPDATE agent SET spec = '${spec}';
        UPDATE declared_revision SET revision = ${revision}; SET session_replication_role = DEFAULT`);
    const specs = async (all?: boolean) => [...(await rows.read(all)).records.Agent.values()].map(({ spec }) => spec);
    await restore('revision - 1', '{"restored": 1}');
    expect(await specs()).toEqual([{ restored: 1 }, { restored: 1 }]);
    await restore('revision', '{"restored": 2}');
    expect(await specs()).toEqual([{ restored: 1 }, { restored: 1 }]);
    expect(await specs(true)).toEqual([{ restored: 2 }, { restored: 2 }]);
  });

  it('declared rows have one row for each changed document, however often it changes', async () => {
    await scene.pool().query(INSERTS.join(';'));
    for (let n = 0; n < 3; n += 1) await scene.pool().query(`UPDATE public.agent SET revision = revision + 1`);
    const counted = `SELECT count(*)::int AS n FROM declared_change WHERE kind = 'Agent' AND name IN ('a', 'b')`;
    expect(await scene.query(counted)).toEqual([{ n: 2 }]);
  });
});
