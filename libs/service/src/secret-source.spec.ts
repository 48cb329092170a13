import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProcessSecretSource } from './secret-source.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mayfly-secrets-'));
  await mkdir(join(directory, 'allowed'));
  await writeFile(join(directory, 'allowed', 'crm'), 'from-a-file\n');
  await writeFile(join(directory, 'outside'), 'canary');
  await symlink(join(directory, 'outside'), join(directory, 'allowed', 'link'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const OWN = { MAYFLY_SEALING_KEY: 'canary', DATABASE_URL: 'canary', REDIS_URL: 'canary', MAYFLY_LATER: 'canary' };

function sourceOf(options: { secretsDir?: string; defaults?: Record<string, string> } = {}): ProcessSecretSource {
  const { secretsDir, defaults = {} } = options;
  const isReserved = (name: string) => /^(mayfly_.*|node_env)$/i.test(name) || name in OWN;
  const values = { CRM: 'from-the-environment', EMPTY: '', ...OWN };
  return new ProcessSecretSource({ values, isReserved }, defaults, secretsDir);
}

describe('secrets by reference', () => {
  it('secrets come from the environment, from its defaults, and from files without their last line end', async () => {
    const source = sourceOf({ defaults: { CRM: 'never', DEMO: 'from-the-defaults' } });
    expect(await source.read('env:CRM')).toBe('from-the-environment');
    expect(await source.read('env:DEMO')).toBe('from-the-defaults');
    expect(await source.read(`file:${join(directory, 'allowed', 'crm')}`)).toBe('from-a-file');
  });

  it.each(['file:/proc/self/environ', 'file:/etc/../proc/1/environ', 'file:/sys/kernel/x', 'file:/dev/stdin'])(
    'ProcessSecretSource refuses the virtual file %s',
    async (reference) => {
      expect(sourceOf().faultOf(reference)).toMatch(/holds a secret/);
      await expect(sourceOf().read(reference)).rejects.toThrow('cannot be read');
    },
  );

  it.each([
    ['env:NOBODY', '`NOBODY` is not set in the environment of the service; set it'],
    ['env:EMPTY', '`EMPTY` is empty in the environment of the service; set it'],
    ['file:/nowhere/at/all', 'the file is missing, empty or not readable; provide it'],
  ])('a missing secret is refused with the reason: %s', async (text, fact) => {
    await expect(sourceOf().read(text)).rejects.toMatchObject({
      code: 'provider_rejected',
      detail: `\`${text}\` cannot be read: ${fact}`,
    });
  });

  it.each([...Object.keys(OWN), 'mayfly_sealing_key', 'NODE_ENV'])(
    'a secret reference may not name the setting %s',
    async (name) => {
      expect(sourceOf().faultOf(`env:${name}`)).toMatch(/setting of the service/);
      const refused = sourceOf().read(`env:${name}`);
      await expect(refused).rejects.toMatchObject({ code: 'provider_rejected' });
      await expect(refused).rejects.not.toThrow('canary');
    },
  );

  it('a secret file needs an absolute path', async () => {
    expect(sourceOf().faultOf('file:allowed/crm')).toMatch(/absolute/);
    await expect(sourceOf().read('file:package.json')).rejects.toMatchObject({ code: 'provider_rejected' });
  });

  it('secret files come from MAYFLY_SECRETS_DIR only, where it is set', async () => {
    const source = sourceOf({ secretsDir: join(directory, 'allowed') });
    expect(await source.read(`file:${join(directory, 'allowed', 'crm')}`)).toBe('from-a-file');
    for (const path of ['outside', 'allowed/../outside', 'allowed-too/crm', 'allowed']) {
      expect(source.faultOf(`file:${directory}/${path}`)).toMatch(/MAYFLY_SECRETS_DIR/);
      await expect(source.read(`file:${directory}/${path}`)).rejects.toMatchObject({ code: 'provider_rejected' });
    }
  });

  it('secret files do not leave MAYFLY_SECRETS_DIR by a link', async () => {
    const source = sourceOf({ secretsDir: join(directory, 'allowed') });
    const refused = source.read(`file:${join(directory, 'allowed', 'link')}`);
    await expect(refused).rejects.toMatchObject({ code: 'provider_rejected' });
  });
});
