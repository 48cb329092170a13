import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../connection.js';
import type { AnyProvider } from '../provider.js';
import { ProviderRegistry } from '../registry.js';
import { Problem } from '@mayfly/kernel';
import { z } from 'zod';
import { Targets } from './targets.js';

const provider = {
  kind: 'postgres',
  secretMembers: ['/password'],
  schemas: { config: z.strictObject({ host: z.string().min(1), password: z.string().min(8) }) },
} as unknown as AnyProvider;

/** Targets with one connection of this configuration, `crm`, and secrets that are all `hunter2hunter2`. */
function targetsWith(config: Connection['spec']['config'], read = async (): Promise<string> => 'hunter2hunter2') {
  const crm: Connection = { name: 'crm', spec: { provider: 'postgres', owner: 'crm-platform', config } };
  const find = (name: string) => (name === 'crm' ? crm : undefined);
  const check = () => 'it is forged';
  return new Targets(new ProviderRegistry([{ provider, check }]), { find }, { read });
}

describe('Targets', () => {
  it('Targets gives the provider, its configuration with the secrets read, and its judge', async () => {
    const target = await targetsWith({ host: 'db', password: 'env:CRM' }).resolve('postgres', 'crm', {});
    expect(target.provider).toBe(provider);
    expect(target.config).toEqual({ host: 'db', password: 'hunter2hunter2' });
    expect(target.check({} as never, {} as never)).toBe('it is forged');
  });

  it('Targets refuses a credential that names no connection where the provider needs one', async () => {
    await expect(targetsWith({}).resolve('postgres', undefined, {})).rejects.toMatchObject({
      code: 'provider_rejected',
    });
  });

  it('Targets restores a target from its recorded declaration, with the present secrets', async () => {
    const { declared } = await targetsWith({ host: 'db', password: 'env:CRM' }).resolve('postgres', 'crm', {});
    expect(declared).toEqual({ host: 'db', password: 'env:CRM' });
    const later = await targetsWith({ host: 'elsewhere', password: 'env:CRM' }, async () => 'rotated-since').restore(
      'postgres',
      declared,
    );
    expect(later.config).toEqual({ host: 'db', password: 'rotated-since' });
  });

  it('Targets does not know a connection that nobody declared', async () => {
    await expect(targetsWith({}).resolve('postgres', 'nobody', {})).rejects.toMatchObject({
      code: 'provider_rejected',
      detail: expect.stringContaining('`nobody`'),
    });
  });

  it('Targets does not use a connection of another provider', async () => {
    const vault = { ...provider, kind: 'vault' };
    const crm: Connection = { name: 'crm', spec: { provider: 'postgres', owner: 'crm-platform', config: {} } };
    const targets = new Targets(
      new ProviderRegistry([{ provider }, { provider: vault }]),
      { find: () => crm },
      { read: async () => '' },
    );
    await expect(targets.resolve('vault', 'crm', {})).rejects.toMatchObject({ code: 'provider_rejected' });
  });

  it('Targets names the wrong places of a configuration, never their values', async () => {
    const problem = await targetsWith({ host: '', password: 'env:CRM' }, async () => 'hunter2')
      .resolve('postgres', 'crm', {})
      .catch((error: unknown) => error as Problem);
    expect(problem).toMatchObject({ code: 'provider_rejected', detail: expect.stringContaining('host, password') });
    expect(JSON.stringify([problem, String((problem as Problem).stack)])).not.toContain('hunter2');
  });

  it('Targets reads no secret into a member that the provider shows', async () => {
    const targets = targetsWith({ host: 'env:MAYFLY_SEALING_KEY', password: 'env:CRM' });
    await expect(targets.resolve('postgres', 'crm', {})).rejects.toMatchObject({
      code: 'provider_rejected',
      detail: expect.stringContaining('`/host`'),
    });
  });

  it('Targets refuses a disabled connection when told to, and still restores targets for revocation', async () => {
    const crm: Connection = {
      name: 'crm',
      spec: { provider: 'postgres', owner: 'crm-platform', config: { host: 'db', password: 'env:CRM' } },
      disabled: true,
    };
    const source = { find: () => crm };
    const targets = new Targets(new ProviderRegistry([{ provider }]), source, { read: async () => 'hunter2hunter2' });
    expect(() => {
      targets.requireEnabled('crm');
    }).toThrow('disabled');
    expect((await targets.restore('postgres', crm.spec.config)).config).toMatchObject({ host: 'db' });
  });

  it('Targets fails as its secrets fail', async () => {
    const gone = new Problem('unavailable', 'the secret `env:CRM` cannot be read');
    const targets = targetsWith({ host: 'db', password: 'env:CRM' }, () => Promise.reject(gone));
    await expect(targets.resolve('postgres', 'crm', {})).rejects.toBe(gone);
  });

  it('Targets leaves out a related connection that cannot be read any more, but begins nothing new without it', async () => {
    const leading = {
      kind: 'vault',
      secretMembers: ['/token'],
      schemas: { config: z.strictObject({ token: z.string() }), scope: z.json() },
      connectionsOf: () => ['crm', 'billing'],
    } as unknown as AnyProvider;
    const config = (password: string) => ({ host: 'db', password });
    const related = {
      crm: { provider: 'postgres', config: config('env:GONE') },
      billing: { provider: 'postgres', config: config('env:THERE') },
    };
    const declared = { provider: 'vault', owner: 'platform', config: { token: 'env:THERE' } };
    const specs: Record<string, Connection['spec']> = {
      vault: declared,
      crm: { ...related.crm, owner: 'crm-platform' },
      billing: { ...related.billing, owner: 'crm-platform' },
    };
    const gone = new Problem('unavailable', 'the secret `env:GONE` cannot be read');
    const targets = new Targets(
      new ProviderRegistry([{ provider }, { provider: leading }]),
      { find: (name) => ({ name, spec: specs[name]! }) },
      {
        read: (reference) => (reference.includes('GONE') ? Promise.reject(gone) : Promise.resolve('hunter2hunter2')),
      },
    );
    const restored = await targets.restore('vault', declared.config, related);
    expect(restored.config).toEqual({ token: 'hunter2hunter2' });
    expect(Object.keys(restored.related ?? {})).toEqual(['billing']);
    await expect(targets.resolve('vault', 'vault', {})).rejects.toBe(gone);
  });
});
