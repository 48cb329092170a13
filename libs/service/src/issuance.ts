import { DenialLog, type EntrySink } from '@mayfly/audit';
import {
  ConnectionGates,
  connectionsOf,
  type ProviderRegistry,
  reconcilable,
  TargetClocks,
  Targets,
} from '@mayfly/credentials';
import type { Catalog } from '@mayfly/declarations';
import { RefusalRecorder } from '@mayfly/http';
import {
  Assessor,
  DecisionRecorder,
  FactSets,
  Minter,
  Planner,
  SingleUse,
  TaskIssuance,
  TaskRenewal,
} from '@mayfly/issuance';
import type { JsonObject } from '@mayfly/kernel';
import {
  ComparedLeasesReader,
  IdentityUseStore,
  LeaseHandlesReader,
  LivingConnectionsReader,
  PgClosingStore,
  PgDeathProbeStore,
  PgDecisionStore,
  PgDenyPolicyStore,
  PgFactStore,
  PgIssuanceStore,
  PgReconciliationStore,
  PgTaskStore,
} from '@mayfly/persistence';
import {
  ConnectionAttendance,
  DeathProbes,
  LeaseClosing,
  OrphanEnding,
  type OrphanPlace,
  OrphanWatch,
  Reconciler,
  type Quarantine,
  RevocationAlarm,
  RevocationUpkeep,
  TargetComparison,
  TaskEnding,
} from '@mayfly/revocation';
import { sampleScopes, type TemplateVersion } from '@mayfly/templates';
import type { Foundation } from './foundation.js';
import { decisionPointOf } from './decision-point.js';
import { observerOf } from './failpoint-observer.js';
import { redactText } from './redaction.js';

/** Builds the parts that grant tasks (`POST /tasks`), renew them and revoke their credentials. */
export function buildIssuance(foundation: Foundation, providers: ProviderRegistry, quarantine: Quarantine) {
  const { settings, database, clock, sealer, catalog, metrics, log, report, secrets, egress } = foundation;
  const observer = observerOf(settings.failpoint);
  const targets = new Targets(providers, catalog, secrets);
  const common = { targets, sealing: sealer, metrics, observer, clock };
  const wakeUps = { wakeUps: settings.queue };
  const issuanceStore = new PgIssuanceStore(database.pool, wakeUps);
  const denials = denialLog(issuanceStore, foundation);
  const closingStore = new PgClosingStore(database.pool, clock, wakeUps);
  const taskStore = new PgTaskStore(database.pool, wakeUps);
  const alarm = buildAlarm(foundation, issuanceStore);
  const clocks = new TargetClocks(settings.clockToleranceSeconds, clock);
  const gates = new ConnectionGates(catalog, alarm, clocks);
  const closing = new LeaseClosing({
    ...{ ...common, store: closingStore, alarm, report },
    tell: (text, facts) => {
      log.warn(facts, text);
    },
  });
  const attendance = new ConnectionAttendance({
    store: new LivingConnectionsReader(database.pool),
    used: () => gates.used(),
    ...{ connections: catalog, targets, alarm, clocks, report },
  });
  const orphans = buildOrphans(foundation, { providers, targets, audit: issuanceStore });
  const { reconciler, reconciliationStore } = buildReconciler(foundation, { providers, targets, orphans, quarantine });
  countByConnection(metrics, { reconciler, gates, alarm, clocks });
  const afterRevocation = buildAfterRevocation(foundation, targets);
  const ending = new TaskEnding(closingStore, closing);
  const refusals = new RefusalRecorder({ ...foundation, denials, redact: redactText });
  const identityUses = new IdentityUseStore(database.pool);
  const { decisionStore, factStore, facts } = buildRecords(foundation, targets);
  const issuance = new TaskIssuance({
    gate: quarantine,
    assessor: new Assessor(catalog, targets, clock, observer, facts, foundation.policies),
    ...{ facts, recorder: new DecisionRecorder(redactText) },
    outside: decisionPointOf(settings.decisionPoint, egress, log),
    planner: new Planner(targets, sealer, gates),
    minter: new Minter(metrics, gates, issuanceStore, sealer, observer),
    identities: new SingleUse(identityUses, refusals),
    ...{ ...common, store: issuanceStore, tasks: taskStore, denials, ending },
  });
  const renewal = new TaskRenewal({ ...common, issuance, tasks: taskStore, gates, decisions: decisionStore });
  const stores = { issuanceStore, closingStore, taskStore, reconciliationStore, decisionStore, factStore };
  const path = { ...stores, facts, denials, targets, gates, clocks, closing, ending, issuance, renewal };
  return { ...path, ...afterRevocation, observer, refusals, identityUses, reconciler, attendance };
}

/** Builds the stores of decisions, and the declared facts that grants state. */
function buildRecords({ database, catalog }: Foundation, targets: Targets) {
  const factStore = new PgFactStore(database.pool);
  const facts = new FactSets(targets, factStore, catalog);
  return { decisionStore: new PgDecisionStore(database.pool), factStore, facts };
}

/** Builds the parts that look after what was revoked: deny policies, and credentials that a template has probed. */
function buildAfterRevocation({ database, clock, sealer, metrics, log, report }: Foundation, targets: Targets) {
  const tell = (text: string, facts: JsonObject): void => {
    log.error(facts, text);
  };
  const upkeep = new RevocationUpkeep({
    store: new PgDenyPolicyStore(database.pool, clock),
    ...{ targets, sealing: sealer, report },
  });
  const deathProbes = new DeathProbes({
    store: new PgDeathProbeStore(database.pool),
    ...{ targets, sealing: sealer, metrics, clock, tell, report },
  });
  return { upkeep, deathProbes };
}

function buildAlarm({ clock, log, report }: Foundation, audit: EntrySink): RevocationAlarm {
  const tell = (text: string, facts: JsonObject): void => {
    log.error(facts, text);
  };
  return new RevocationAlarm({ audit, clock, tell, report });
}

/** Builds the search for objects at targets that no lease explains. */
function buildOrphans(
  { database, catalog, sealer, clock, report }: Foundation,
  { providers, targets, audit }: { providers: ProviderRegistry; targets: Targets; audit: EntrySink },
): OrphanWatch {
  return new OrphanWatch({
    places: orphanPlaces(catalog, providers),
    ...{ store: new LeaseHandlesReader(database.pool), connections: catalog, targets, sealing: sealer },
    ...{ audit, clock, report },
  });
}

/** Builds the comparison of targets with the leases. Requests and the schedule share it. */
function buildReconciler(
  { database, clock, sealer, catalog, report }: Foundation,
  {
    providers,
    targets,
    orphans,
    quarantine,
  }: { providers: ProviderRegistry; targets: Targets; orphans: OrphanWatch; quarantine: Quarantine },
) {
  const reconciliationStore = new PgReconciliationStore(database.pool, clock);
  const turns = reconciliationStore;
  const leases = new ComparedLeasesReader(database.pool);
  const reconciler = new Reconciler({
    ...{ turns, providers, orphans, clock, report },
    comparison: new TargetComparison({ leases, targets, sealing: sealer, orphans }),
    ending: new OrphanEnding({ turns, targets, clock }),
    connections: () => catalog.connections,
    mayEndUnknown: () => quarantine.mayEndUnknown(),
  });
  return { reconciler, reconciliationStore };
}

interface CountedParts {
  readonly reconciler: Reconciler;
  readonly gates: ConnectionGates;
  readonly alarm: RevocationAlarm;
  readonly clocks: TargetClocks;
}

/** Registers the metrics that have one value per connection. */
function countByConnection(metrics: Foundation['metrics'], { reconciler, gates, alarm, clocks }: CountedParts): void {
  metrics.byConnection(
    'mayfly_orphans',
    'Objects at a target that look like ones of Mayfly, belong to no living lease, and were not ended (orphans)',
    () => reconciler.counts(),
  );
  metrics.byConnection(
    'mayfly_connection_paused',
    '1 while Mayfly pauses calls to the connection because its target does not answer',
    () => gates.pausedConnections(),
  );
  metrics.byConnection(
    'mayfly_revocation_failing',
    '1 while Mayfly cannot log in at the connection to revoke leases',
    () => alarm.counts(),
  );
  metrics.byConnection(
    'mayfly_clock_offset_seconds',
    'The clock of the target minus that of the database of Mayfly, as this process read it last',
    () => clocks.offsets(),
  );
}

/** Builds the denial log. It also logs the number of denials that have no audit entry. */
function denialLog(sink: EntrySink, { clock, log }: Pick<Foundation, 'clock' | 'log'>): DenialLog {
  return new DenialLog(sink, clock, (summary) => {
    log.warn(summary, 'refusals counted in one audit entry');
  });
}

/** Returns the connection pairs to scan for orphans, from the templates in force. Reads each version once. */
function orphanPlaces(catalog: Pick<Catalog, 'templates'>, providers: ProviderRegistry): () => readonly OrphanPlace[] {
  const known = new WeakMap<TemplateVersion, readonly OrphanPlace[]>();
  const read = (version: TemplateVersion): readonly OrphanPlace[] => {
    const places = known.get(version) ?? placesOf(version, providers);
    known.set(version, places);
    return places;
  };
  return () => {
    const places = catalog.templates.flatMap(read);
    return [...new Map(places.map((place) => [`${place.connection} ${place.related}`, place])).values()];
  };
}

function placesOf({ spec }: TemplateVersion, providers: ProviderRegistry): readonly OrphanPlace[] {
  const isWatched = ({ provider }: { provider: string }) => reconcilable(providers.get(provider)) !== undefined;
  // Sampling compiles the template, so only those that need it are sampled.
  if (!spec.credentials.some(isWatched)) return [];
  return sampleScopes(spec).flatMap(({ credential: { provider, connection }, scope }) => {
    const watched = reconcilable(providers.get(provider));
    if (watched === undefined || connection === undefined) return [];
    return connectionsOf(watched, scope).map((related) => ({ provider, connection, related }));
  });
}
