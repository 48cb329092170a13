import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultProvider } from '@mayfly/provider-vault';
import { LeaseMarker } from '@mayfly/trust';
import { rows } from './sql.js';
import { documentedPolicy } from './vault-documented.js';
import { vaultServers } from './vault-server.js';
import { type Lease, VaultTarget } from './vault-target.js';

const patience = (): AbortSignal => AbortSignal.timeout(20_000);

describe.each(vaultServers())('the tokens of leases that %s shows', (_, start) => {
  let target: VaultTarget;
  let provider: VaultProvider;
  let other: VaultProvider;
  beforeAll(async () => {
    target = await VaultTarget.open(start);
    provider = target.newProvider({ quietSeconds: 3, marks: new LeaseMarker({ current: '0a'.repeat(32) }) });
    other = target.newProvider({ quietSeconds: 3, marks: new LeaseMarker({ current: '0b'.repeat(32) }) });
  });
  afterAll(async () => {
    await Promise.all([provider.close(), other.close()]);
    await target.close();
  });

  const mintBy = (by: VaultProvider): Promise<Lease> => target.mint(target.orderFor(), patience(), by);
  const accessorOf = ({ order }: Lease): string => target.handles.get(order.leaseId)!.accessor!;
  const listed = async () => {
    const { objects, unseen } = await provider.objects(target.configFor(), patience());
    expect(unseen).toBeUndefined();
    return new Map(objects.map(({ name, ...object }) => [name, object]));
  };

  it('the list says which tokens this installation made, another one made, and nobody marked; and no other token', async () => {
    const leases = [await mintBy(provider), await mintBy(other), await mintBy(target.provider)] as const;
    const [ours, theirs, bare] = leases;
    const found = await listed();
    expect(found.get(accessorOf(ours))).toEqual({ leaseId: ours.order.leaseId, mark: 'ours' });
    expect(found.get(accessorOf(theirs))).toEqual({ leaseId: theirs.order.leaseId, mark: 'other' });
    expect(found.get(accessorOf(bare))).toEqual({ leaseId: bare.order.leaseId, mark: 'none' });
    expect(found.size).toBe(3);
    for (const { order } of leases) await target.revoke(order);
    expect((await listed()).size).toBe(0);
  });

  it('a token that somebody else made with the token role is listed without a lease', async () => {
    const { body } = await target.root('POST', 'auth/token/create/mayfly', { policies: ['mayfly-x'], ttl: '60s' });
    const { accessor } = (body as { auth: { accessor: string } }).auth;
    expect((await listed()).get(accessor)).toEqual({ mark: 'none' });
    await target.root('POST', 'auth/token/revoke-accessor', { accessor });
  });

  it('the end of a token ends the secret that was read with it, and is safe to repeat', async () => {
    const lease = await mintBy(provider);
    expect(await rows(lease.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const config = target.configFor();
    expect(await provider.endObject(config, accessorOf(lease))).toMatchObject({ kind: 'revoked' });
    expect((await listed()).has(accessorOf(lease))).toBe(false);
    expect(await provider.endObject(config, accessorOf(lease))).toMatchObject({ kind: 'revoked' });
    expect(await target.revoke(lease.order)).toMatchObject({ kind: 'revoked' });
    await expect(rows(lease.url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('a policy without the right to list tokens is named, and nothing is called missing', async () => {
    const policy = JSON.parse(documentedPolicy()) as { path: Record<string, unknown> };
    delete policy.path['auth/token/accessors'];
    await target.root('POST', 'sys/policies/acl/mayfly-broker', { policy: JSON.stringify(policy) });
    expect(await provider.objects(target.configFor(), patience())).toEqual({
      objects: [],
      unseen: expect.stringMatching(/lacks `list` and `sudo` on `auth\/token\/accessors`.*add them/),
    });
    await target.root('POST', 'sys/policies/acl/mayfly-broker', { policy: documentedPolicy() });
    expect((await listed()).size).toBe(0);
  });
});
