import type { IdentityTokens } from '@mayfly/credentials';
import { Catalog } from '@mayfly/declarations';
import { PublicEgress } from '@mayfly/egress';
import { createGuardedFetch } from '@mayfly/fetch';
import { IdentityVerifier, IssuerKeySource } from '@mayfly/identity';
import type { Clock } from '@mayfly/kernel';
import {
  Database,
  DatabaseClock,
  DeclaredRows,
  LeaseStatistics,
  NotifyQueueWatch,
  PgCatalogSource,
  PgSigningKeyStore,
  proveHistoryKept,
} from '@mayfly/persistence';
import { PoliciesInForce, PolicyEngine } from '@mayfly/policy';
import { Metrics } from '@mayfly/telemetry';
import { FederationTokens, KeyRing, LeaseMarker, Sealer } from '@mayfly/trust';
import type { Logger } from 'pino';
import type { Backing } from './database.js';
import { ProcessSecretSource, type SecretVariables } from './secret-source.js';
import type { ServiceSettings } from './settings.js';
import { namingDatabase } from './start-faults.js';

/** The settings and the opened database that the service is built from. */
export interface ServiceInputs {
  readonly settings: ServiceSettings;
  readonly backing: Backing;
  readonly publicUrl: string;
  readonly log: Logger;
  readonly variables: SecretVariables;
}

/** The parts that all others need: database, clock, keys, identity verifier, catalog, egress, metrics. */
export type Foundation = Awaited<ReturnType<typeof buildFoundation>>;

/** Builds the foundation, and proves that the database keeps history. Throws `unavailable` or `invalid_declaration`. */
export async function buildFoundation({ settings, backing, publicUrl, log, variables }: ServiceInputs) {
  const report = (error: unknown): void => {
    log.error({ err: error }, 'background work failed');
  };
  const database = new Database({ url: backing.url, onConnectionLost: report });
  const clock = new DatabaseClock(database.pool);
  await namingDatabase('DATABASE_URL', () => clock.measure());
  await namingDatabase('DATABASE_URL', () => database.withClient(proveHistoryKept));
  const sealingKeys = { current: backing.sealingKey, previous: settings.previousSealingKeys };
  const sealer = new Sealer(sealingKeys);
  // A key that two installations share proves nothing: each would end the leases of the other.
  const marks = backing.isKeyDerived ? undefined : new LeaseMarker(sealingKeys);
  const keyRing = new KeyRing(new PgSigningKeyStore(database.pool, clock, 'access'), sealer, clock);
  const federationKeys = new KeyRing(new PgSigningKeyStore(database.pool, clock, 'federation'), sealer, clock);
  const federationTokens: IdentityTokens = new FederationTokens(federationKeys, clock, `${publicUrl}/federation`);
  const secrets = new ProcessSecretSource(variables, backing.embedded?.secrets ?? {}, settings.secretsDir);
  const egress = new PublicEgress(settings.egressAllow);
  const fetchJson = createGuardedFetch({ egress });
  const keySource = new IssuerKeySource({ fetchJson, readFile: (path) => secrets.read(`file:${path}`) }, clock);
  const verifier = new IdentityVerifier(keySource, clock);
  const declaredRows = new DeclaredRows(database.pool);
  const { catalog, ...policies } = buildDeclared(declaredRows, verifier, { clock, report, settings });
  const metrics = new Metrics(new LeaseStatistics(database.pool));
  const issuerClock =
    'The clock of the server of an issuer minus that of the database of Mayfly, as its keys were fetched last';
  metrics.byIssuer('mayfly_issuer_clock_offset_seconds', issuerClock, () => keySource.clockOffsets());
  const notifyQueue = new NotifyQueueWatch(database.pool, log);
  const usage = 'The part of the notification queue of PostgreSQL that is in use';
  metrics.gauge('mayfly_notify_queue_usage', usage, () => notifyQueue.usage);
  return {
    ...{
      settings,
      publicUrl,
      log,
      report,
      database,
      clock,
      sealer,
      marks,
      egress,
      verifier,
      catalog,
      metrics,
      notifyQueue,
    },
    ...policies,
    ...{ secrets, declaredRows, keySource, keyRing, federationKeys, federationTokens },
  };
}

/** Builds declared state in memory, with the policies of it, which are read and loaded after each refresh. */
function buildDeclared(
  rows: DeclaredRows,
  verifier: IdentityVerifier,
  { clock, report, settings }: { clock: Clock; report: (error: unknown) => void; settings: ServiceSettings },
) {
  const source = new PgCatalogSource(rows, report);
  const policyEngine = new PolicyEngine(undefined, report);
  const catalog: Catalog = new Catalog(source, verifier, clock, report, {
    lockdownAgeSeconds: settings.lockdownAgeSeconds,
    refreshed: () => {
      policies.prepare();
    },
  });
  const policies: PoliciesInForce = new PoliciesInForce(policyEngine, catalog, report);
  return { catalog, policies, policyEngine };
}
