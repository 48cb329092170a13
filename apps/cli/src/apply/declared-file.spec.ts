import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readDeclared, titleOf } from './declared-file.js';

const connection = (name: string) =>
  `kind: Connection\nmetadata: { name: ${name} }\nspec: { provider: postgres, owner: crm, config: { url: 'env:X' } }\n`;

let directory: string;
const at = (name: string): string => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mayfly-declared-'));
  for (const folder of ['good', 'bad', 'empty']) mkdirSync(at(folder));
  writeFileSync(at('good/b.yaml'), `${connection('two')}---\n${connection('three')}`);
  writeFileSync(at('good/a.yml'), connection('one'));
  writeFileSync(at('good/notes.txt'), 'not read');
  writeFileSync(at('bad/a.yaml'), 'kind: Connection\nmetadata: { name: one }\nspec: { provder: postgres }\n');
  writeFileSync(at('bad/b.yaml'), 'kind: Nothing\n');
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe('files of documents', () => {
  it('files of documents are read in the order of their names, with each document of each', async () => {
    const read = await readDeclared([at('good')]);
    expect(read.map(({ declared }) => titleOf(declared))).toEqual([
      'Connection/one',
      'Connection/two',
      'Connection/three',
    ]);
    expect(read[2]?.file).toBe(at('good/b.yaml'));
  });

  it('files of documents are refused with everything that is wrong, by file, line and path', async () => {
    const attempt = readDeclared([at('bad')]);
    await expect(attempt).rejects.toMatchObject({ exitCode: 2 });
    await expect(attempt).rejects.toThrow(/a\.yaml:3: spec\.provder: unknown key; did you mean `provider`\?/);
    await expect(attempt).rejects.toThrow(/b\.yaml:1: kind: use one of/);
  });

  it('files of documents are refused when they say one thing twice', async () => {
    const attempt = readDeclared([at('good'), at('good/a.yml')]);
    await expect(attempt).rejects.toThrow(/Connection\/one is declared in .*a\.yml too; keep one/);
  });

  it.each(['missing', 'empty'])('files of documents are asked for where there are none (%s)', async (name) => {
    await expect(readDeclared([at(name)])).rejects.toMatchObject({ exitCode: 2 });
  });
});
