import { MAYFLY } from '@mayfly/audit';
import {
  AgentLifecycle,
  ChangeRequests,
  Changes,
  ConnectionLifecycle,
  DeclarationChecks,
  Declarations,
  DocumentWriter,
  IssuerTests,
  TargetExamination,
  Templates,
} from '@mayfly/declarations';
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
import { TaskTokens } from '@mayfly/trust';
import { buildProviders } from './build-providers.js';
import { buildFoundation, type Foundation, type ServiceInputs } from './foundation.js';
import { buildIssuance } from './issuance.js';
import { buildOperations } from './operations.js';
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
  const taskTokens = new TaskTokens({
    current: inputs.backing.sealingKey,
    previous: inputs.settings.previousSealingKeys,
  });
  const parts = { ...foundation, ...path, providers, taskTokens };
  return {
    ...parts,
    quarantine: held.quarantine,
    quarantineDesk: buildQuarantineDesk(foundation, held, path),
    closeProviders,
    ...buildAgentSide(parts),
    ...buildOperations(parts, path, held.quarantine),
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

type Parts = Foundation &
  ReturnType<typeof buildIssuance> &
  Pick<ReturnType<typeof buildProviders>, 'providers'> & { readonly taskTokens: TaskTokens };

/** Builds the services behind the routes of agents. */
function buildAgentSide(parts: Parts) {
  const { database, sealer, clock, catalog, taskStore, ending, observer, taskTokens } = parts;
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
  const delegations = new Delegations({
    ...{ store: new PgDelegationStore(database.pool), tasks: taskStore, issuance: parts.issuance, templates: catalog },
    policies: parts.policies,
    ...{ agents: catalog, targets: parts.targets, keyHolds, taskTokens, observer, clock },
    redact: redactText,
  });
  const tasks = new Tasks({ ...parts, tasks: taskStore, keyHolds, redact: redactText });
  return { keyHoldStore, tasks, delegations };
}

/** Builds the services behind the routes of platform teams, operators and auditors. */
function buildPlatformSide(parts: Parts, { backing }: ServiceInputs) {
  const { database, declaredRows, clock, providers, egress, secrets, targets, observer, policyEngine } = parts;
  const { closingStore, closing, catalog, report } = parts;
  const store = new PgDeclarationStore(database.pool, declaredRows);
  const { records } = store;
  const context = {
    ...{ providers: providers.all, policies: policyEngine },
    ...{ egress, secretFault: secrets.faultOf.bind(secrets) },
  };
  const examination = new TargetExamination(targets);
  const rules = { rolesOverApi: backing.embedded !== undefined, fourEyes: backing.embedded === undefined };
  const { rolesOverApi, fourEyes } = rules;
  const ownership = parts.settings.production;
  const after = { catalog, clock, report };
  const writer = new DocumentWriter({ context, clock });
  // Outside of production one person declares, at once.
  const two = parts.settings.production ? { requests: new ChangeRequests({ store, writer, clock }) } : {};
  const taskEndings = new TaskEndings(database.pool, closingStore, undefined, observer);
  return {
    taskEndings,
    agentLifecycle: new AgentLifecycle({
      store: new PgAgentLifecycleStore(database.pool, taskEndings),
      ...{ closing, ownership, ...two, ...after },
    }),
    connectionLifecycle: new ConnectionLifecycle({
      store: new PgConnectionLifecycleStore(database.pool),
      ...{ records, targets, clocks: parts.clocks, ownership, ...two, ...after },
    }),
    declarations: new Declarations({ store, context, rolesOverApi, ownership, ...two, ...after }),
    changes: new Changes({ store, writer, rolesOverApi, redact: redactText, ...after }),
    declarationChecks: new DeclarationChecks({ store, context, examination, ownership, ...rules }),
    lockdowns: new Lockdowns({
      store: new PgLockdownStore(database.pool, taskEndings),
      ...{ catalog, closing, audit: parts.issuanceStore, observer, clock, redact: redactText, report },
    }),
    leaseAbandonment: new LeaseAbandonment({ store: closingStore, redact: redactText }),
    reconciliations: new Reconciliations({ records: parts.reconciliationStore, connections: catalog, providers }),
    issuerTests: new IssuerTests({ ...parts, records, audit: parts.issuanceStore }),
    templates: new Templates({
      ...{ store, providers: providers.all, policies: policyEngine, examination, fourEyes, ownership, ...after },
    }),
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
  const { database, taskStore, decisionStore, factStore, facts, catalog, targets, clock } = parts;
  const { providers, policies, policyEngine } = parts;
  const audit = new AuditReader(database.pool);
  const granted = new GrantedDecisions({ audit, facts: factStore, tasks: taskStore });
  const assessor = new Assessor(catalog, targets, clock, NO_OBSERVER, facts, policies);
  const common = { store: decisionStore, granted };
  return {
    decisions: new Decisions({ ...common, versions, facts, deciders: { providers, policyEngine } }),
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
