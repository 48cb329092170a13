import { MAYFLY } from '@mayfly/audit';
import {
  AgentLifecycle,
  ConnectionLifecycle,
  DeclarationChecks,
  Declarations,
  IssuerTests,
  TargetExamination,
  Templates,
} from '@mayfly/declarations';
import { AccessTokens, ResourceServers } from '@mayfly/enforcement';
import { History } from '@mayfly/evidence';
import {
  AccessEvaluations,
  Assessor,
  ControlTraces,
  Decisions,
  Delegations,
  GrantedDecisions,
  KeyHolds,
  Tasks,
  taskView,
} from '@mayfly/issuance';
import { NO_OBSERVER } from '@mayfly/tasks';
import {
  TaskEndings,
  AuditPartitions,
  AuditReader,
  AuditSealer,
  HistoryReader,
  LeaseReader,
  Outbox,
  OverdueReader,
  PgAgentLifecycleStore,
  PgConnectionLifecycleStore,
  PgDelegationStore,
  PgDeclarationStore,
  PgKeyHoldStore,
  PgLockdownStore,
  WriteProbe,
} from '@mayfly/persistence';
import { LeaseQueue, postgresBackend, redisBackend } from '@mayfly/queue';
import { LeaseAbandonment, Lockdowns, Reconciliations } from '@mayfly/revocation';
import { TokenVerifier } from '@mayfly/trust';
import { buildProviders } from './build-providers.js';
import { buildFoundation, type Foundation, type ServiceInputs } from './foundation.js';
import { buildIssuance } from './issuance.js';
import { buildQuarantine, buildQuarantineDesk } from './quarantine.js';
import { redactText } from './redaction.js';

/** All parts of the running service. `startService` builds them, once per process. */
export type Services = Awaited<ReturnType<typeof buildServices>>;

/** Builds all services. Starts no loop and takes no call. */
export async function buildServices(inputs: ServiceInputs) {
  const foundation = await buildFoundation(inputs);
  const { providers, closeProviders } = buildProviders(foundation);
  const held = await buildQuarantine(foundation, inputs.backing);
  const path = buildIssuance(foundation, providers, held.quarantine);
  const writeProbe = new WriteProbe(foundation.database.pool);
  const parts = { ...foundation, ...path, providers };
  return {
    ...parts,
    quarantine: held.quarantine,
    quarantineDesk: buildQuarantineDesk(foundation, held, path),
    closeProviders,
    ...buildAgentSide(parts),
    ...buildPlatformSide(parts, inputs),
    ...buildWorkerSide(foundation, inputs),
    /**
     * Resolves when the service can grant and revoke: the database takes writes, the catalog is fresh and a signing key
     * exists; says whether it is in quarantine. Throws `unavailable` otherwise.
     */
    ready: async (): Promise<{ readonly isQuarantined: boolean }> => {
      await writeProbe.check();
      foundation.catalog.requireFresh();
      foundation.keyRing.signer();
      return { isQuarantined: held.quarantine.isQuarantined };
    },
  };
}

type Parts = Foundation & ReturnType<typeof buildIssuance> & Pick<ReturnType<typeof buildProviders>, 'providers'>;

/** Builds the services behind the routes of agents and resource servers. */
function buildAgentSide(parts: Parts) {
  const { database, sealer, clock, keyRing, publicUrl, catalog, providers, taskStore, ending, refusals, observer } =
    parts;
  const keyHoldStore = new PgKeyHoldStore(database.pool);
  const keyHolds = new KeyHolds({
    store: keyHoldStore,
    sealing: sealer,
    ...{ clock, observer },
    tasks: {
      view: async (taskId) => {
        const task = await taskStore.find(taskId);
        return task === undefined ? { id: taskId } : taskView(task);
      },
      endUndelivered: (taskId) =>
        ending.end({ taskId, cause: 'issuance_failed', reason: 'not delivered', actor: MAYFLY }),
    },
  });
  const accessTokens = new AccessTokens({
    issuer: publicUrl,
    verifier: new TokenVerifier(keyRing, clock),
    leases: new LeaseReader(database.pool),
    resourceServers: new ResourceServers(catalog, providers),
    ending,
    refusals,
  });
  const delegations = new Delegations({
    ...{ store: new PgDelegationStore(database.pool), tasks: taskStore, issuance: parts.issuance, templates: catalog },
    ...{ agents: catalog, targets: parts.targets, keyHolds, observer, clock },
    redact: redactText,
  });
  const tasks = new Tasks({ ...parts, tasks: taskStore, keyHolds, redact: redactText });
  return { keyHoldStore, tasks, delegations, accessTokens };
}

/** Builds the services behind the routes of platform teams, operators and auditors. */
function buildPlatformSide(parts: Parts, { backing }: ServiceInputs) {
  const { database, declaredRows, clock, providers, egress, secrets, targets, observer } = parts;
  const { closingStore, closing, catalog, report } = parts;
  const store = new PgDeclarationStore(database.pool, declaredRows);
  const { records } = store;
  const context = { providers: providers.all, egress, secretFault: secrets.faultOf.bind(secrets) };
  const examination = new TargetExamination(targets);
  const rules = { rolesOverApi: backing.embedded !== undefined, fourEyes: backing.embedded === undefined };
  const { rolesOverApi, fourEyes } = rules;
  const after = { catalog, clock, report };
  const taskEndings = new TaskEndings(database.pool, closingStore, undefined, observer);
  return {
    taskEndings,
    agentLifecycle: new AgentLifecycle({
      store: new PgAgentLifecycleStore(database.pool, taskEndings),
      ...{ closing, ...after },
    }),
    connectionLifecycle: new ConnectionLifecycle({
      store: new PgConnectionLifecycleStore(database.pool),
      ...{ records, targets, clocks: parts.clocks, ...after },
    }),
    declarations: new Declarations({ store, context, rolesOverApi, ...after }),
    declarationChecks: new DeclarationChecks({ store, context, examination, ...rules }),
    lockdowns: new Lockdowns({
      store: new PgLockdownStore(database.pool, taskEndings),
      ...{ catalog, closing, audit: parts.issuanceStore, observer, clock, redact: redactText, report },
    }),
    leaseAbandonment: new LeaseAbandonment({ store: closingStore, redact: redactText }),
    reconciliations: new Reconciliations({ records: parts.reconciliationStore, connections: catalog, providers }),
    issuerTests: new IssuerTests({ ...parts, records, audit: parts.issuanceStore }),
    templates: new Templates({ store, providers: providers.all, examination, fourEyes, ...after }),
    ...buildDecisions(parts, store.templates),
    history: new History(
      new HistoryReader(database.pool),
      new AuditReader(database.pool),
      new OverdueReader(database.pool),
    ),
  };
}

/** Builds the readers of decisions. They decide again with the code of requests. */
function buildDecisions(parts: Parts, versions: PgDeclarationStore['templates']) {
  const { database, taskStore, decisionStore, factStore, facts, catalog, targets, clock, providers } = parts;
  const audit = new AuditReader(database.pool);
  const granted = new GrantedDecisions({ audit, facts: factStore, tasks: taskStore });
  const assessor = new Assessor(catalog, targets, clock, NO_OBSERVER, facts);
  const common = { store: decisionStore, granted };
  return {
    decisions: new Decisions({ ...common, versions, providers }),
    accessEvaluations: new AccessEvaluations({ assessor, store: parts.issuanceStore, agents: catalog, clock }),
    controlTraces: new ControlTraces({ ...common, tasks: taskStore, assessor, agents: catalog, clock }),
  };
}

/** Builds the background parts. The queue starts revocations on time; without it, the sweep finds them. */
function buildWorkerSide({ settings, database, clock, log }: Foundation, { backing }: ServiceInputs) {
  const backend = settings.redisUrl === undefined ? postgresBackend(backing.url) : redisBackend(settings.redisUrl);
  return {
    outbox: new Outbox(database.pool),
    auditSealer: new AuditSealer(database.pool),
    auditPartitions: new AuditPartitions(database.pool),
    queue: settings.queue ? new LeaseQueue(backend, clock, log) : undefined,
  };
}
