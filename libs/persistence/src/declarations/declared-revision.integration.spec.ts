import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { auditEntry, MAYFLY } from '@mayfly/audit';
import { declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import { PgCatalogSource } from './catalog.source.js';
import { DeclaredRows } from './declared-rows.js';
import { PgConnectionLifecycleStore } from './connection-lifecycle.store.js';
import { PgIssuanceStore } from '../tasks/issuance.store.js';

let scene: TaskDatabase;
let source: PgCatalogSource;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  source = new PgCatalogSource(new DeclaredRows(scene.pool()), () => undefined);
});
beforeEach(() => scene.empty());
afterAll(() => scene.stop());

const revision = async (): Promise<number> => Number(await source.revision());
/** Runs statements as the serving role. Returns by how much they raised the revision. */
async function raisedBy(statements: string): Promise<number> {
  const before = await revision();
  await scene.pool().query(statements);
  return (await revision()) - before;
}

const ISSUER = `INSERT INTO public.issuer (name, spec, updated_by) VALUES ('i', '{}', 'test')`;
const AGENT = `INSERT INTO public.agent (id, name, spec, updated_by) VALUES ('agt_a', 'a', '{}', 'test')`;
const CONNECTION = `INSERT INTO public.connection (name, spec, updated_by) VALUES ('c', '{}', 'test')`;
const TEMPLATE = `INSERT INTO public.template (name) VALUES ('t')`;
const KEY = `INSERT INTO public.signing_key (kid, algorithm, public_jwk, sealed_private_key, created_at, active_from)
  VALUES ('k', 'ES256', '{}', '', now(), now())`;

describe('the revision of declared state', () => {
  it.each([
    ['an issuer', ISSUER, `UPDATE public.issuer SET revision = 2; DELETE FROM public.issuer`],
    ['an agent', AGENT, `UPDATE public.agent SET state = 'active'`],
    ['a connection', CONNECTION, `UPDATE public.connection SET state = 'disabled'; DELETE FROM public.connection`],
    ['a template', TEMPLATE, `UPDATE public.template SET state = 'retired'`],
  ])('rises by one with each transaction that changes %s', async (_, insert, change) => {
    await scene.query('DELETE FROM issuer');
    expect(await raisedBy(insert)).toBe(1);
    expect(await raisedBy(change)).toBe(1);
  });

  it('rises with a new signing key, and once for a transaction with many changes', async () => {
    expect(await raisedBy(KEY)).toBe(1);
    await scene.query('DELETE FROM issuer');
    expect(await raisedBy([ISSUER, AGENT, CONNECTION, TEMPLATE].join(';'))).toBe(1);
  });

  it('stays with a transaction that is rolled back, and with a grant', async () => {
    expect(await raisedBy(`BEGIN; ${AGENT}; ROLLBACK`)).toBe(0);
    const intent = taskIntent(scene.clock);
    await declareFor(scene, intent);
    const before = await revision();
    expect(await new PgIssuanceStore(scene.pool()).open(intent)).toBe('opened');
    expect(await revision()).toBe(before);
  });

  it('the revision of declared state is the one that the rows read with it have', async () => {
    const rows = await source.load(false);
    expect(rows.revision).toBe(await source.revision());
  });

  it('the revision of declared state makes no grant and no change of another document wait for a change under way', async () => {
    const intent = taskIntent(scene.clock);
    await declareFor(scene, intent);
    await scene.query([AGENT, CONNECTION].join(';'));
    const session = await scene.session();
    await session.query(`BEGIN; UPDATE public.agent SET labels = '{"a": "b"}' WHERE name = 'a'`);
    expect(await raisedBy(`UPDATE public.connection SET state = 'disabled'`)).toBe(1);
    expect(await new PgIssuanceStore(scene.pool()).open(intent)).toBe('opened');
    await session.query('COMMIT');
  });

  it('the revision of declared state cannot deadlock two transactions that change documents in different orders of kinds', async () => {
    await scene.query('DELETE FROM issuer');
    await scene.query([ISSUER, AGENT, CONNECTION].join(';'));
    const [first, second] = [await scene.session(), await scene.session()];
    await first.query(`BEGIN; UPDATE public.agent SET revision = 2; UPDATE public.issuer SET revision = 2`);
    await second.query(`BEGIN; UPDATE public.connection SET revision = 2`);
    const before = await revision();
    await Promise.all([first.query('COMMIT'), second.query('COMMIT')]);
    expect(await revision()).toBe(before + 2);
  });

  it('the revision of declared state refuses a change when its row is missing', async () => {
    await scene.query('CREATE TABLE kept AS SELECT * FROM declared_revision');
    await scene.query('DELETE FROM declared_revision');
    await expect(scene.pool().query(AGENT)).rejects.toMatchObject({ code: 'P0002' });
    await expect(source.revision()).rejects.toMatchObject({ code: 'unavailable' });
    await scene.query('INSERT INTO declared_revision SELECT * FROM kept');
  });
});

describe('the hint after a change', () => {
  const ENTRY = auditEntry('connection.disabled', new Date(), MAYFLY, {}, { connection: 'c' } as never);
  const move = (): Promise<unknown> =>
    new PgConnectionLifecycleStore(scene.pool()).underLock('c', (connection) =>
      connection.move({ to: 'disabled', by: { name: 'somebody', actor: MAYFLY }, entry: ENTRY }),
    );

  it('reaches listeners once the change is committed', async () => {
    await scene.query(CONNECTION);
    const session = await scene.session();
    const heard = new Promise((resolve) => session.on('notification', resolve));
    await session.query('LISTEN mayfly_catalog');
    await move();
    expect(await heard).toMatchObject({ channel: 'mayfly_catalog' });
  });

  it('the hint after a change is not needed: a server that refuses every notification takes the change', async () => {
    await scene.query(CONNECTION);
    await scene.query('REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) FROM PUBLIC');
    const before = await revision();
    await move();
    expect(await revision()).toBe(before + 1);
    expect(await scene.query('SELECT state FROM connection')).toEqual([{ state: 'disabled' }]);
    await scene.query('GRANT EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) TO PUBLIC');
  });
});
