import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresProvider } from '@mayfly/provider-postgres';
import { LeaseMarker } from '@mayfly/trust';
import { SERVERS_AND_WAYS } from './crm-database.js';
import { openPostgresTarget, patience, type Order, type PostgresTarget } from './postgres-target.js';
import { openSession, rows } from './sql.js';

const marks = new LeaseMarker({ current: '0a'.repeat(32) });
const others = new LeaseMarker({ current: '0b'.repeat(32) });
const STRANGE = `mayfly_${'7'.repeat(26)}`;

describe.each(SERVERS_AND_WAYS)('the lease roles that %s shows, by way of %s', (_, way, start) => {
  let target: PostgresTarget;
  let provider: PostgresProvider;
  let other: PostgresProvider;
  beforeAll(async () => {
    target = await openPostgresTarget(start, way);
    provider = new PostgresProvider(undefined, marks);
    other = new PostgresProvider(undefined, others);
  });
  const made: string[] = [];
  afterAll(async () => {
    for (const role of made) await provider.endObject(target.orderFor().config, role, patience());
    await Promise.all([provider.close(), other.close()]);
    await target.asSuperuser(`DROP ROLE IF EXISTS ${STRANGE}`);
    await target.close();
  });

  const mintBy = async (by: PostgresProvider): Promise<{ order: Order; role: string; url: string }> => {
    const order = target.orderFor();
    const { handle, secret } = await by.mint(order, by.plan(order), patience());
    made.push(handle.role);
    return { order, role: handle.role, url: secret.url as string };
  };
  const listed = async () => {
    const { objects, unseen } = await provider.objects(target.orderFor().config, patience());
    expect(unseen).toBeUndefined();
    return new Map(objects.map(({ name, ...object }) => [name, object]));
  };

  it('the list says which roles this installation made, another one made, and nobody marked', async () => {
    const [ours, theirs, bare] = [await mintBy(provider), await mintBy(other), await mintBy(target.provider)];
    await target.asSuperuser(`CREATE ROLE ${STRANGE} LOGIN; CREATE ROLE mayfly_reports LOGIN`);
    const found = await listed();
    expect(found.get(ours.role)).toEqual({ leaseId: ours.order.leaseId, mark: 'ours' });
    expect(found.get(theirs.role)).toEqual({ leaseId: theirs.order.leaseId, mark: 'other' });
    expect(found.get(bare.role)).toEqual({ leaseId: bare.order.leaseId, mark: 'none' });
    expect(found.get(STRANGE)).toMatchObject({ mark: 'none' });
    expect(found.has('mayfly_reports')).toBe(false);
    await target.asSuperuser('DROP ROLE mayfly_reports');
    expect(await provider.endObject(target.orderFor().config, ours.role, patience())).toEqual({ kind: 'revoked' });
    expect((await listed()).has(ours.role)).toBe(false);
  });

  it('a mark that was copied to another role proves nothing', async () => {
    const { role } = await mintBy(provider);
    const [found] = await target.asSuperuser<{ comment: string }>(
      `SELECT shobj_description('${role}'::regrole, 'pg_authid') AS comment`,
    );
    await target.asSuperuser(`COMMENT ON ROLE ${STRANGE} IS '${found!.comment}'`);
    expect((await listed()).get(STRANGE)).toMatchObject({ mark: 'other' });
  });

  it('the end of an object ends its sessions, and is safe to repeat', async () => {
    const { role, url } = await mintBy(provider);
    const { client, ended } = await openSession(url);
    await client.query('SELECT id FROM emea.cases');
    const { config } = target.orderFor();
    expect(await provider.endObject(config, role, patience())).toEqual({ kind: 'revoked' });
    expect(await ended).toBeInstanceOf(Error);
    expect(await target.roleCount(role)).toBe(0);
    await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(await provider.endObject(config, role, patience())).toEqual({ kind: 'already_gone' });
  });

  it('a role without the name of a lease role is never ended', async () => {
    const { config } = target.orderFor();
    expect(await provider.endObject(config, target.crm.admin, patience())).toMatchObject({ kind: 'unknown' });
    expect(await target.roleCount(target.crm.admin)).toBe(1);
  });
});
