import { readFileSync } from 'node:fs';
import { hkdfSync } from 'node:crypto';
import { join } from 'node:path';
import {
  developmentIssuer,
  type DevelopmentIssuer,
  prepareDemoDatabase,
  readOrCreateSecretFile,
  startEmbeddedPostgres,
} from '@mayfly/embedded';
import { Problem } from '@mayfly/kernel';
import { applyMigrations, asOwner, grantRuntimeRole, proveHistoryKept } from '@mayfly/persistence';
import { projectFile } from './project-file.js';
import type { ServiceSettings } from './settings.js';
import { namingDatabase, namingDataDirectory } from './start-faults.js';

/** The service's database, with its sealing key and the start warnings. */
export interface Backing {
  readonly url: string;
  /** 32 bytes, hexadecimal */
  readonly sealingKey: string;
  /** true when the key follows from the password of the database, which another installation may have too */
  readonly isKeyDerived: boolean;
  /** only with the embedded PostgreSQL */
  readonly embedded?: { readonly issuer: DevelopmentIssuer; readonly secrets: Readonly<Record<string, string>> };
  /** logged at start for the operator */
  readonly warnings: readonly string[];
  /** Stops the embedded PostgreSQL; does nothing for a database of the operator. */
  stop(): Promise<void>;
}

/** Opens the database of `DATABASE_URL`, or the embedded one with demo data and development issuer; migrates it. */
export async function openBacking(settings: ServiceSettings, log: (message: string) => void): Promise<Backing> {
  return settings.databaseUrl === undefined ? embedded(settings, log) : external(settings, settings.databaseUrl);
}

async function embedded(settings: ServiceSettings, log: (message: string) => void): Promise<Backing> {
  const server = await namingDataDirectory(() => startEmbeddedPostgres({ dataDir: settings.dataDir, log }));
  try {
    const [demoUrl, issuer] = await Promise.all([
      prepareDemoDatabase(server, readFileSync(projectFile('docs/postgres-functions.sql'), 'utf8')),
      developmentIssuer(settings.dataDir, { production: settings.production, create: true }),
      migrate(server.url('mayfly', 'postgres'), server.url('mayfly')),
    ]);
    return {
      url: server.url('mayfly'),
      sealingKey: settings.sealingKey ?? sealingKeyFile(settings.dataDir),
      isKeyDerived: false,
      embedded: { issuer, secrets: { CRM_DATABASE_URL: demoUrl } },
      warnings: [
        'the development issuer is on: every process that can read the data directory can impersonate any agent and any person',
      ],
      stop: () => server.stop(),
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function external(settings: ServiceSettings, url: string): Promise<Backing> {
  const warnings: string[] = [];
  if (settings.migrationUrl === undefined) {
    warnings.push(
      'MAYFLY_MIGRATION_URL is not set: the role of DATABASE_URL owns the audit tables, and only triggers protect them; set it to the URL of another role',
    );
  }
  if (settings.sealingKey === undefined) {
    warnings.push(
      'MAYFLY_SEALING_KEY is not set: Mayfly derives the key from the password in DATABASE_URL, loses it when that password changes, and ends no object that it finds at a target; set it',
    );
  }
  if (settings.epochUrl === undefined) {
    warnings.push(
      'MAYFLY_EPOCH_URL is not set: Mayfly does not notice that an older copy of the database was restored; set it to a file or an object of S3 outside of the database',
    );
  }
  const owner = settings.migrationUrl === undefined ? 'DATABASE_URL' : 'MAYFLY_MIGRATION_URL';
  await namingDatabase(owner, () => migrate(settings.migrationUrl ?? url, url));
  const isKeyDerived = settings.sealingKey === undefined;
  const sealingKey = settings.sealingKey ?? sealingKeyFrom(url);
  return { url, sealingKey, isKeyDerived, warnings, stop: () => Promise.resolve() };
}

/** Applies migrations as the owner, then grants the serving role its rights when it is another role. */
async function migrate(ownerUrl: string, servingUrl: string): Promise<void> {
  const servingRole = decodeURIComponent(new URL(servingUrl).username);
  await asOwner(ownerUrl, servingRole, async (owner, ownerRole) => {
    await applyMigrations(owner, projectFile('prisma/migrations'));
    if (servingRole !== '' && servingRole !== ownerRole) await grantRuntimeRole(owner, servingRole);
    await proveHistoryKept(owner);
  });
}

function sealingKeyFile(dataDir: string): string {
  const makeKey = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex');
  return readOrCreateSecretFile(join(dataDir, 'sealing-key'), makeKey).content;
}

/** Derives the sealing key from the database password: all replicas share it, and none stores it. Not in production. */
function sealingKeyFrom(url: string): string {
  const { password } = new URL(url);
  if (password === '')
    throw new Problem(
      'invalid_declaration',
      'MAYFLY_SEALING_KEY is not set, and DATABASE_URL has no password to derive it from; set it',
    );
  return Buffer.from(hkdfSync('sha256', password, 'mayfly', 'sealing key', 32)).toString('hex');
}
