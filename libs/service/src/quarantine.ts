import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openEpochStore } from '@mayfly/epoch';
import { PgEpochRows, type PgReconciliationStore } from '@mayfly/persistence';
import { Quarantine, QuarantineDesk, type Reconciler } from '@mayfly/revocation';
import type { Backing } from './database.js';
import type { Foundation } from './foundation.js';
import { redactText } from './redaction.js';

/** The quarantine with the rows that it shares with its desk. */
export interface QuarantineServices {
  readonly quarantine: Quarantine;
  readonly epochRows: PgEpochRows;
}

/** Builds the quarantine, with the place of `MAYFLY_EPOCH_URL`; the embedded default has a file beside its PostgreSQL. */
export async function buildQuarantine(
  { settings, database, clock, metrics, log }: Foundation,
  { embedded }: Backing,
): Promise<QuarantineServices> {
  const beside = embedded === undefined ? undefined : pathToFileURL(join(settings.dataDir, 'epoch.json')).href;
  const url = settings.epochUrl ?? beside;
  const epochRows = new PgEpochRows(database.pool);
  const quarantine = new Quarantine({
    outside: url === undefined ? undefined : await openEpochStore(url),
    inside: epochRows,
    clock,
    newLineage,
    incarnation: database.incarnation,
    tell: (text, facts) => {
      log.error(facts, text);
    },
  });
  const quarantined = '1 while the database is older than what this installation has seen, so that nothing is issued';
  metrics.gauge('mayfly_quarantined', quarantined, () => Number(quarantine.isQuarantined));
  const age = 'Seconds since the database was last compared with the epoch outside of it; nothing is issued from 60 on';
  metrics.gauge('mayfly_epoch_age_seconds', age, () => Math.round(quarantine.ageMs() / 1000));
  return { quarantine, epochRows };
}

/** Builds the desk behind the routes of the quarantine. */
export function buildQuarantineDesk(
  { clock }: Foundation,
  { quarantine, epochRows }: QuarantineServices,
  { reconciler, reconciliationStore }: { reconciler: Reconciler; reconciliationStore: PgReconciliationStore },
): QuarantineDesk {
  return new QuarantineDesk({
    ...{ quarantine, clock, newLineage },
    inside: epochRows,
    records: reconciliationStore,
    comparable: () => reconciler.comparable().map(({ name }) => name),
    redact: redactText,
  });
}

const newLineage = (): string => randomBytes(16).toString('base64url');
