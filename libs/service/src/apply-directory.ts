import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { MAYFLY } from '@mayfly/audit';
import {
  type AppliedDeclarations,
  type Declaration,
  type Declarations,
  parseDeclarations,
  parseDocument,
} from '@mayfly/declarations';
import { type Json, Problem } from '@mayfly/kernel';
import { unreadableDirectory, unreadableFile } from './start-faults.js';

const MAX_FILES = 200;

/** The declarer name that the records show for these files. */
const DECLARER = { name: 'mayfly:configuration-files', actor: MAYFLY };

/**
 * Applies `first`, then the YAML files of a directory in name order, all or nothing. Throws `invalid_declaration` with
 * file, line and path when one file is wrong.
 */
export async function applyDirectory(
  declarations: Pick<Declarations, 'apply'>,
  directory: string | undefined,
  first: readonly unknown[] = [],
): Promise<AppliedDeclarations> {
  const given = first.map((document) => parseDocument(document as Json));
  const files = directory === undefined ? [] : await readFiles(directory);
  return declarations.apply([...given, ...files], DECLARER);
}

async function readFiles(directory: string): Promise<Declaration[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    throw unreadableDirectory('MAYFLY_CONFIG_DIR', 'a directory of YAML files', error);
  });
  const files = names.filter((name) => ['.yaml', '.yml'].includes(extname(name))).sort();
  if (files.length > MAX_FILES) {
    throw new Problem(
      'invalid_declaration',
      `MAYFLY_CONFIG_DIR has more than ${String(MAX_FILES)} files; merge some of them`,
    );
  }
  const documents: Declaration[] = [];
  for (const name of files) documents.push(...(await readDeclaredFile(join(directory, name), 'MAYFLY_CONFIG_DIR')));
  return documents;
}

/** Reads the documents of the YAML file of `variable`. Throws `invalid_declaration` with file, line and path. */
export async function readDeclaredFile(path: string, variable: string): Promise<Declaration[]> {
  const shown = relative(process.cwd(), path);
  const file = shown.startsWith('..') ? path : shown;
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unreadableFile(variable, file, error);
  });
  return parseDeclarations(file, text);
}
