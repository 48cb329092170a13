import { hkdfSync } from 'node:crypto';
import { join } from 'node:path';
import { Problem } from '@mayfly/kernel';
import { applyMigrations, asOwner, grantRuntimeRole } from '@mayfly/persistence';
import {
  developmentIssuer,
  type DevelopmentIssuer,
  prepareDemoDatabase,
  readOrCreateSecretFile,
  startEmbeddedPostgres,
} from '@mayfly/embedded';
import type { BrokerConfig } from '../config.js';
import { projectFile } from './project-file.js';
import { namingDatabase, namingDataDirectory } from './start-faults.js';

/** The database that this process serves from, with what comes with it. */
export interface Backing {
  readonly url: string;
  /** 32 bytes, hexadecimal */
  readonly sealingKey: string;
  /** what only the embedded default has */
  readonly embedded?: { readonly issuer: DevelopmentIssuer; readonly secrets: Readonly<Record<string, string>> };
  /** things that an operator should know, for the log */
  readonly warnings: readonly string[];
  stop(): Promise<void>;
}

/** The embedded PostgreSQL with demo database and development issuer, or the database of `DATABASE_URL`; migrated. */
export async function openBacking(config: BrokerConfig, log: (message: string) => void): Promise<Backing> {
  return config.databaseUrl === undefined ? embedded(config, log) : external(config, config.databaseUrl);
}

async function embedded(config: BrokerConfig, log: (message: string) => void): Promise<Backing> {
  const server = await namingDataDirectory(() => startEmbeddedPostgres({ dataDir: config.dataDir, log }));
  try {
    const [demoUrl, issuer] = await Promise.all([
      prepareDemoDatabase(server),
      developmentIssuer(config.dataDir, { production: config.production, create: true }),
      migrate(server.url('mayfly', 'postgres'), server.url('mayfly')),
    ]);
    return {
      url: server.url('mayfly'),
      sealingKey: config.sealingKey ?? sealingKeyFile(config.dataDir),
      embedded: { issuer, secrets: { CRM_DATABASE_URL: demoUrl } },
      warnings: ['the development issuer is on: whoever can read the data directory can be any agent and any person'],
      stop: () => server.stop(),
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function external(config: BrokerConfig, url: string): Promise<Backing> {
  const warnings: string[] = [];
  if (config.migrationUrl === undefined) {
    warnings.push('MAYFLY_MIGRATION_URL is not set: the serving role owns the history, which only triggers protect');
  }
  if (config.sealingKey === undefined) {
    warnings.push(
      'MAYFLY_SEALING_KEY is not set: the key is derived from DATABASE_URL, and is lost when its password changes',
    );
  }
  const owner = config.migrationUrl === undefined ? 'DATABASE_URL' : 'MAYFLY_MIGRATION_URL';
  await namingDatabase(owner, () => migrate(config.migrationUrl ?? url, url));
  return { url, sealingKey: config.sealingKey ?? sealingKeyFrom(url), warnings, stop: () => Promise.resolve() };
}

/** Migrations run as the owner; the serving role gets what it needs when it is another. */
async function migrate(ownerUrl: string, servingUrl: string): Promise<void> {
  const servingRole = decodeURIComponent(new URL(servingUrl).username);
  await asOwner(ownerUrl, servingRole, async (owner, ownerRole) => {
    await applyMigrations(owner, projectFile('prisma/migrations'));
    if (servingRole !== '' && servingRole !== ownerRole) await grantRuntimeRole(owner, servingRole);
  });
}

function sealingKeyFile(dataDir: string): string {
  const makeKey = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex');
  return readOrCreateSecretFile(join(dataDir, 'sealing-key'), makeKey).content;
}

/** Outside production only: replicas on one URL share a key that is nowhere at rest. */
function sealingKeyFrom(url: string): string {
  const { password } = new URL(url);
  if (password === '')
    throw new Problem('invalid_declaration', 'set MAYFLY_SEALING_KEY: DATABASE_URL has no password to derive it from');
  return Buffer.from(hkdfSync('sha256', password, 'mayfly', 'sealing key', 32)).toString('hex');
}
