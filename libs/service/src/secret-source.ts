import { readFile, realpath } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import type { SecretSource } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';

/** Virtual file systems: `/proc/self/environ` would leak the broker's own environment. */
const SYSTEM = ['/proc', '/sys', '/dev'];

/** The environment variables that `env:` references read. */
export interface SecretVariables {
  readonly values: Readonly<Record<string, string | undefined>>;
  /** true for a setting of the service: no reference may read it */
  isReserved(name: string): boolean;
}

/** Reads secrets from environment variables and files. An unset variable falls back to the embedded start's default. */
export class ProcessSecretSource implements SecretSource {
  constructor(
    private readonly variables: SecretVariables,
    private readonly defaults: Readonly<Record<string, string>>,
    /** refuses files outside this directory; undefined: reads any absolute path */
    private readonly secretsDir?: string,
  ) {}

  /** Returns why a reference is refused (the broker's own settings, files out of bounds), or undefined. */
  faultOf(reference: string): string | undefined {
    const place = placeOf(reference);
    if (reference.startsWith('env:'))
      return this.variables.isReserved(place)
        ? `\`${place}\` is a setting of the service; use another variable`
        : undefined;
    if (!isAbsolute(place)) return 'its path is not absolute; give the absolute path';
    if (SYSTEM.some((directory) => isBelow(directory, resolve(place))))
      return 'the system itself makes that file; name a file that holds a secret';
    if (this.secretsDir === undefined || isBelow(this.secretsDir, resolve(place))) return undefined;
    return 'the file is outside of the directory of MAYFLY_SECRETS_DIR; name a file in it';
  }

  async read(reference: string): Promise<string> {
    const fault = this.faultOf(reference);
    if (fault !== undefined) throw refused(reference, `: ${fault}`);
    const place = placeOf(reference);
    if (!reference.startsWith('env:')) {
      const text = await this.file(place).catch(() => undefined);
      if (text) return text;
      throw refused(reference, ': the file is missing, empty or not readable; provide it');
    }
    const value = this.variables.values[place] ?? this.defaults[place];
    if (value) return value;
    throw refused(
      reference,
      `: \`${place}\` is ${value === undefined ? 'not set' : 'empty'} in the environment of the service; set it`,
    );
  }

  /** Reads a file. Returns undefined when a link leads outside the directory or into a virtual file system. */
  private async file(path: string): Promise<string | undefined> {
    const real = await realpath(path);
    if (SYSTEM.some((directory) => isBelow(directory, real))) return undefined;
    if (this.secretsDir !== undefined && !isBelow(await realpath(this.secretsDir), real)) return undefined;
    return (await readFile(real, 'utf8')).trimEnd();
  }
}

function placeOf(reference: string): string {
  return reference.slice(reference.indexOf(':') + 1);
}

function isBelow(directory: string, path: string): boolean {
  return path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

function refused(reference: string, why: string): Problem {
  return new Problem('provider_rejected', `\`${reference}\` cannot be read${why}`);
}
