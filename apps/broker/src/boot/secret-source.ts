import { readFile } from 'node:fs/promises';
import type { SecretSource } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';

/** Secrets from the environment and from files, with defaults of the embedded start behind the environment. */
export class ProcessSecretSource implements SecretSource {
  constructor(
    private readonly environment: Readonly<Record<string, string | undefined>>,
    private readonly defaults: Readonly<Record<string, string>>,
  ) {}

  async read(reference: string): Promise<string> {
    const place = reference.slice(reference.indexOf(':') + 1);
    const value = reference.startsWith('env:')
      ? (this.environment[place] ?? this.defaults[place])
      : await this.file(place);
    if (value === undefined || value === '')
      throw new Problem('provider_rejected', `the secret \`${reference}\` cannot be read`);
    return value;
  }

  private async file(path: string): Promise<string | undefined> {
    return (await readFile(path, 'utf8').catch(() => undefined))?.trimEnd();
  }
}
