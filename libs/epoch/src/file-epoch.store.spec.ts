import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { epochStoreSuite } from '@mayfly/testing';
import { epochUrlFault, openEpochStore } from './epoch-url.js';

const directories: string[] = [];
let path: string;
beforeEach(async () => {
  directories.push(await mkdtemp(join(tmpdir(), 'mayfly-epoch-')));
  path = join(directories.at(-1)!, 'epoch.json');
});
afterAll(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true }))));

const open = () => openEpochStore(pathToFileURL(path).href);
const EPOCH = { lineage: 'one', sequence: 1, leaf: 'leaf' };

epochStoreSuite(async () => [await open(), await open()]);

describe('a file with the epoch', () => {
  it('a write leaves one file, which only its owner reads', async () => {
    const store = await open();
    await store.write(EPOCH, new Date(), undefined);
    await store.write({ ...EPOCH, sequence: 2 }, new Date(), (await store.read())?.version);
    expect(await readdir(directories.at(-1)!)).toEqual(['epoch.json']);
  });

  it('one of several first writes at once succeeds, and the others write nothing', async () => {
    const results = await Promise.all([1, 2, 3, 4].map(async () => (await open()).write(EPOCH, new Date(), undefined)));
    expect(results.filter(Boolean)).toHaveLength(1);
  });

  it('a file of another form is refused with what to change', async () => {
    await writeFile(path, '{"lineage":"one"}');
    await expect((await open()).read()).rejects.toThrow(/MAYFLY_EPOCH_URL: what is there is no epoch of Mayfly/);
  });

  it('a directory that is missing is refused with the setting and the code', async () => {
    path = join(path, 'missing', 'epoch.json');
    await expect((await open()).write(EPOCH, new Date(), undefined)).rejects.toThrow(/MAYFLY_EPOCH_URL.*ENOENT/);
    await chmod(directories.at(-1)!, 0o700);
  });
});

describe('the URL of the epoch', () => {
  it.each([
    ['file:///var/lib/mayfly/epoch.json', undefined],
    ['s3://bucket/mayfly/epoch.json?region=eu-central-1', undefined],
    ['s3://bucket/epoch?endpoint=https://s3.example:8443', undefined],
    ['/var/lib/epoch.json', 'use file:///path of a file or'],
    ['https://bucket/epoch', 'use file:///path'],
    ['file://host/epoch', 'use file:///path'],
    ['s3://bucket', 'use file:///path'],
    ['s3://key:secret@bucket/epoch', 'leave the login out'],
    ['s3://bucket/epoch?profile=x', 'leave `profile` out'],
    ['s3://bucket/epoch?endpoint=s3.example', 'use a URL as `endpoint`'],
  ])('%s is judged', (url, fault) => {
    const found = epochUrlFault(url);
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(fault.split(' of a file')[0]);
  });
});
