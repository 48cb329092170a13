import { readFile } from 'node:fs/promises';
import { isSecretReference, type SecretSource } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import { TransitKey, transitSchema, type TransitConfig } from '@mayfly/provider-vault';
import { parseDocument } from 'yaml';
import { ProcessSecretSource, type SecretVariables } from './secret-source.js';
import type { ServiceSettings } from './settings.js';
import { unreadableFile } from './start-faults.js';

const KEY_BYTES = 32;
/** The clock of the process: the database, whose clock counts elsewhere, is not open yet. */
const PROCESS_CLOCK = { now: () => new Date(performance.timeOrigin + performance.now()) };
const FILE = 'MAYFLY_SEALING_VAULT_FILE';

/** True for the ciphertext of a transit engine, in place of a key. */
const isWrapped = (key: string): boolean => key.startsWith('vault:');

/**
 * Returns the settings with each wrapped sealing key in plain text: the transit engine of Vault unwraps it, once, at the
 * start (docs/adr/0021-sealing-key-from-vault.md). Throws `Problem` that names the setting, and never a key.
 */
export async function unwrapSealingKeys(
  settings: ServiceSettings,
  variables: SecretVariables,
): Promise<ServiceSettings> {
  const { sealingKey, previousSealingKeys, sealingVaultFile } = settings;
  if (sealingVaultFile === undefined) return settings;
  const secrets = new ProcessSecretSource(variables, {}, settings.secretsDir);
  const config = await readConfig(sealingVaultFile, !settings.production, secrets);
  const key = new TransitKey(config, PROCESS_CLOCK);
  try {
    const current = sealingKey === undefined ? undefined : await unwrap(key, 'MAYFLY_SEALING_KEY', sealingKey);
    const previous: string[] = [];
    for (const one of previousSealingKeys) previous.push(await unwrap(key, 'MAYFLY_SEALING_KEY_PREVIOUS', one));
    return { ...settings, sealingKey: current, previousSealingKeys: previous };
  } finally {
    await key.close();
  }
}

async function unwrap(key: TransitKey, variable: string, text: string): Promise<string> {
  if (!isWrapped(text)) return text;
  const bytes = await key.unwrap(text).catch((cause: unknown) => {
    if (!(cause instanceof Problem)) throw cause;
    throw new Problem('unavailable', `${variable}, unwrapped by ${FILE}: ${cause.detail}`, { cause });
  });
  if (bytes.length === KEY_BYTES) return bytes.toString('hex');
  const detail = `${variable}: the wrapped key has ${String(bytes.length)} bytes; use one of 32 bytes`;
  throw new Problem('invalid_declaration', detail);
}

/** Reads the file. Its secrets are references, as in the documents of connections. */
async function readConfig(path: string, isDevelopment: boolean, secrets: SecretSource): Promise<TransitConfig> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw unreadableFile(FILE, 'the file', cause);
  });
  const schema = transitSchema({ allowPlainHttp: isDevelopment, allowTokenAuth: isDevelopment });
  const parsed = schema.safeParse(await resolved(parseDocument(text).toJS() as unknown, secrets));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path: at, message }) => `${at.join('.')} (${message})`);
  throw new Problem('invalid_declaration', `${FILE}: correct ${faults.join('; ')}`);
}

async function resolved(value: unknown, secrets: SecretSource): Promise<unknown> {
  if (typeof value === 'string') {
    if (!isSecretReference(value)) return value;
    return secrets.read(value).catch((cause: unknown) => {
      if (!(cause instanceof Problem)) throw cause;
      throw new Problem('invalid_declaration', `${FILE}: ${cause.detail}`, { cause });
    });
  }
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).map(async ([name, one]) => [name, await resolved(one, secrets)] as const);
  return Object.fromEntries(await Promise.all(members));
}
