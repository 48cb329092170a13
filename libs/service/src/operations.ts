import { AccessTokens, HttpDoor, KnownTasks, Operations, ResourceServers, ShownTokens } from '@mayfly/enforcement';
import type { ProviderRegistry } from '@mayfly/credentials';
import { LeaseReader, OperationTasksReader, PgOperationRecords, PgUseStore } from '@mayfly/persistence';
import type { Quarantine } from '@mayfly/revocation';
import { type TaskTokens, TokenVerifier } from '@mayfly/trust';
import type { Foundation } from './foundation.js';
import type { buildIssuance } from './issuance.js';
import { redactText } from './redaction.js';

/** Builds the parts that answer enforcement points: introspection, revocation of tokens, and operations. */
export function buildOperations(
  foundation: Foundation & { readonly providers: ProviderRegistry; readonly taskTokens: TaskTokens },
  path: ReturnType<typeof buildIssuance>,
  gate: Pick<Quarantine, 'pass'>,
) {
  const { database, clock, keyRing, taskTokens, publicUrl, catalog, providers, report } = foundation;
  const { closingStore, closing, denials, ending, refusals } = path;
  const verifier = new TokenVerifier(keyRing, clock);
  const servers = new ResourceServers(catalog, providers);
  const useStore = new PgUseStore(database.pool, closingStore, (claims) => {
    // A worker claims them again if this fails.
    closing.close(claims).catch(report);
  });
  const operations = new Operations({
    ...{ gate, servers, uses: useStore, denials, clock, redact: redactText },
    tokens: new ShownTokens(verifier, taskTokens, publicUrl, clock),
    tasks: new KnownTasks(new OperationTasksReader(database.pool), providers),
    records: new PgOperationRecords(database.pool, clock),
  });
  const accessTokens = new AccessTokens({
    ...{ issuer: publicUrl, verifier, resourceServers: servers, ending, refusals, operations },
    leases: new LeaseReader(database.pool),
  });
  const httpDoor = new HttpDoor(catalog, providers, operations);
  return { useStore, operations, httpDoor, accessTokens };
}
