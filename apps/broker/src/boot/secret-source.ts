import { readFile, realpath } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import type { SecretSource } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import { isOwnVariable } from '../config.js';

/** What is below is no file that somebody wrote; the environment of this process is there to read. */
const SYSTEM = ['/proc', '/sys', '/dev'];

/** Secrets from the environment and from files, with defaults of the embedded start behind the environment. */
export class ProcessSecretSource implements SecretSource {
  constructor(
    private readonly environment: Readonly<Record<string, string | undefined>>,
    private readonly defaults: Readonly<Record<string, string>>,
    /** files outside this directory are refused; undefined: any file by its absolute path */
    private readonly secretsDir?: string,
  ) {}

  /** Why a reference may not be used, or undefined: settings of the service and files out of bounds may not. */
  faultOf(reference: string): string | undefined {
    const place = placeOf(reference);
    if (reference.startsWith('env:'))
      return isOwnVariable(place) ? `\`${place}\` is a setting of the service; put the secret elsewhere` : undefined;
    if (!isAbsolute(place)) return 'give the absolute path of the file';
    if (SYSTEM.some((directory) => isBelow(directory, resolve(place)))) return 'name a file that holds a secret';
    if (this.secretsDir === undefined || isBelow(this.secretsDir, resolve(place))) return undefined;
    return 'name a file in the directory of MAYFLY_SECRETS_DIR';
  }

  async read(reference: string): Promise<string> {
    const fault = this.faultOf(reference);
    if (fault !== undefined) throw refused(reference, `: ${fault}`);
    const place = placeOf(reference);
    if (!reference.startsWith('env:')) {
      const text = await this.file(place).catch(() => undefined);
      if (text) return text;
      throw refused(reference, ': the file is not there, is empty, or may not be read');
    }
    const value = this.environment[place] ?? this.defaults[place];
    if (value) return value;
    throw refused(
      reference,
      `: \`${place}\` is ${value === undefined ? 'not set' : 'empty'} where the service runs; set it`,
    );
  }

  /** Undefined when a link leads out of the directory, or into the system's own. */
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
