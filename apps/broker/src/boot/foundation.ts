import type { IdentityTokens } from '@mayfly/credentials';
import { Catalog } from '@mayfly/declarations';
import { PublicEgress } from '@mayfly/egress';
import { IdentityVerifier, IssuerKeySource } from '@mayfly/identity';
import {
  Database,
  DatabaseClock,
  LeaseStatistics,
  NotifyQueueWatch,
  PgCatalogSource,
  PgSigningKeyStore,
  proveHistoryKept,
} from '@mayfly/persistence';
import { createGuardedFetch } from '@mayfly/fetch';
import { Metrics } from '@mayfly/telemetry';
import { FederationTokens, KeyRing, Sealer } from '@mayfly/trust';
import type { Logger } from 'pino';
import type { BrokerConfig } from '../config.js';
import type { Backing } from './database.js';
import { ProcessSecretSource } from './secret-source.js';
import { namingDatabase } from './start-faults.js';

export interface ServiceInputs {
  readonly config: BrokerConfig;
  readonly backing: Backing;
  readonly publicUrl: string;
  readonly log: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The parts that all others need: database, clock, keys, identity verifier, catalog, egress, metrics. */
export type Foundation = Awaited<ReturnType<typeof buildFoundation>>;

export async function buildFoundation({ config, backing, publicUrl, log, environment }: ServiceInputs) {
  const report = (error: unknown): void => {
    log.error({ err: error }, 'background work failed');
  };
  const database = new Database({ url: backing.url, onConnectionLost: report });
  const clock = new DatabaseClock(database.pool);
  await namingDatabase('DATABASE_URL', () => clock.measure());
  await namingDatabase('DATABASE_URL', () => database.withClient(proveHistoryKept));
  const sealer = new Sealer({ current: backing.sealingKey });
  const keyRing = new KeyRing(new PgSigningKeyStore(database.pool, clock, 'access'), sealer, clock);
  const federationKeys = new KeyRing(new PgSigningKeyStore(database.pool, clock, 'federation'), sealer, clock);
  const federationTokens: IdentityTokens = new FederationTokens(federationKeys, clock, `${publicUrl}/federation`);
  const secrets = new ProcessSecretSource(environment, backing.embedded?.secrets ?? {}, config.secretsDir);
  const egress = new PublicEgress(config.egressAllow);
  const fetchJson = createGuardedFetch({ egress });
  const keySource = new IssuerKeySource({ fetchJson, readFile: (path) => secrets.read(`file:${path}`) }, clock);
  const verifier = new IdentityVerifier(keySource, clock);
  const catalog = new Catalog(new PgCatalogSource(database.pool, report), verifier, clock, report);
  const metrics = new Metrics(new LeaseStatistics(database.pool));
  const notifyQueue = new NotifyQueueWatch(database.pool, log);
  const usage = 'The part of the notification queue of PostgreSQL that is in use';
  metrics.gauge('mayfly_notify_queue_usage', usage, () => notifyQueue.usage);
  return {
    ...{ config, publicUrl, log, report, database, clock, sealer, egress, verifier, catalog, metrics, notifyQueue },
    ...{ secrets, keySource, keyRing, federationKeys, federationTokens },
  };
}
