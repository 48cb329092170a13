import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { parseDeclarations, type Declaration } from '@mayfly/declarations';
import { Problem } from '@mayfly/kernel';
import { usageFailure } from '../command-failure.js';

/** A document and its file. */
export interface DeclaredInFile {
  readonly file: string;
  readonly declared: Declaration;
}

/**
 * Reads the documents of YAML files, and of the YAML files in folders, in name order. Throws a usage failure that lists
 * all faults with file, line and path.
 */
export async function readDeclared(paths: readonly string[]): Promise<DeclaredInFile[]> {
  const files = (await Promise.all(paths.map(filesAt))).flat();
  const read = await Promise.all(files.map(readOne));
  const faults = read.flatMap(({ faults }) => faults);
  const documents = read.flatMap(({ documents }) => documents);
  refuse([...faults, ...doubles(documents)]);
  if (documents.length === 0)
    throw usageFailure('there are no documents', 'name a YAML file, or a folder that has some');
  return documents;
}

/** Returns the title of a document, `Kind/name`. */
export function titleOf({ kind, metadata }: Declaration): string {
  return `${kind}/${metadata.name}`;
}

/** Returns the path of a file, or the YAML files of a folder in name order. Throws a usage failure for a path that is not there. */
export async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw usageFailure(`\`${path}\` is missing or not readable`);
  if (!found.isDirectory()) return [path];
  const names = await readdir(path);
  const isYaml = (name: string) => ['.yaml', '.yml'].includes(extname(name));
  return names
    .filter(isYaml)
    .sort()
    .map((name) => join(path, name));
}

async function readOne(file: string): Promise<{ documents: DeclaredInFile[]; faults: string[] }> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw usageFailure(`\`${file}\` cannot be read`);
  });
  try {
    return { documents: parseDeclarations(file, text).map((declared) => ({ file, declared })), faults: [] };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { documents: [], faults: (error.extensions.errors ?? [error]).map(({ detail }) => detail) };
  }
}

function doubles(documents: readonly DeclaredInFile[]): string[] {
  const files = new Map<string, string>();
  return documents.flatMap(({ file, declared }) => {
    const title = titleOf(declared);
    const other = files.get(title);
    files.set(title, other ?? file);
    return other === undefined ? [] : [`${file}: ${title} is declared in ${other} too; keep one`];
  });
}

function refuse(faults: readonly string[]): void {
  if (faults.length === 0) return;
  throw usageFailure(['the files cannot be applied as they are', ...faults].join('\n  '));
}
