import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Declaration } from '@mayfly/declarations';
import { applyDirectory } from './apply-directory.js';

/** Keeps what it is told to apply. */
class FakeDeclarations {
  readonly applied: string[][] = [];

  apply(documents: readonly Declaration[]) {
    this.applied.push(documents.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
    return Promise.resolve({ changes: [], warnings: [] });
  }
}

let directory: string;
let store: FakeDeclarations;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mayfly-apply-'));
  store = new FakeDeclarations();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const connection = (name: string) => ({ kind: 'Connection', metadata: { name }, spec: spec() });
const spec = () => ({ provider: 'postgres', owner: 'crm', config: { url: 'env:URL' } });

async function write(file: string, ...documents: readonly unknown[]): Promise<void> {
  await writeFile(join(directory, file), documents.map((document) => JSON.stringify(document)).join('\n---\n'));
}

describe('applying a directory', () => {
  it('applyDirectory applies all files at once, by name, after what comes from elsewhere', async () => {
    await write('b.yml', connection('three'), connection('four'));
    await write('a.yaml', connection('two'));
    await applyDirectory(store, directory, [connection('one')]);
    expect(store.applied).toEqual([['one', 'two', 'three', 'four'].map((name) => `Connection/${name}`)]);
  });

  it('applyDirectory reads nothing but YAML files', async () => {
    await write('a.yaml', connection('one'));
    for (const file of ['README.md', 'b.json', 'c.yaml.bak', '.yaml']) await writeFile(join(directory, file), '{');
    await applyDirectory(store, directory);
    expect(store.applied).toEqual([['Connection/one']]);
  });

  it('applyDirectory needs no directory', async () => {
    await applyDirectory(store, undefined, [connection('one')]);
    expect(store.applied).toEqual([['Connection/one']]);
  });

  it('applyDirectory applies nothing when one file is wrong, and names the file and the line', async () => {
    await write('a.yaml', connection('one'));
    await writeFile(join(directory, 'b.yaml'), 'kind: Connection\nmetadata: { name: two }\nspecs: {}\n');
    const refusal = { code: 'invalid_declaration', detail: expect.stringContaining(`b.yaml:`) as unknown };
    await expect(applyDirectory(store, directory)).rejects.toMatchObject(refusal);
    expect(store.applied).toEqual([]);
  });

  it.each([
    ['a directory that is not there', 'nowhere', 'MAYFLY_CONFIG_DIR'],
    ['a file in its place', 'a.yaml', 'MAYFLY_CONFIG_DIR'],
  ])('applyDirectory refuses %s, naming the setting', async (_, name, told) => {
    await write('a.yaml', connection('one'));
    await expect(applyDirectory(store, join(directory, name))).rejects.toThrow(told);
    expect(store.applied).toEqual([]);
  });

  it('applyDirectory refuses a file that is too large', async () => {
    await writeFile(join(directory, 'a.yaml'), `# ${'x'.repeat(262_144)}`);
    await expect(applyDirectory(store, directory)).rejects.toThrow('use several files');
  });

  it('applyDirectory refuses a wrong document that comes from elsewhere', async () => {
    await expect(applyDirectory(store, directory, [{ kind: 'Nothing' }])).rejects.toMatchObject({
      code: 'invalid_declaration',
    });
  });
});
