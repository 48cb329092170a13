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
import {
  AgentEndings,
  AuditReader,
  AuditSealer,
  HistoryReader,
  LeaseReader,
  Outbox,
  PgAgentLifecycleStore,
  PgConnectionLifecycleStore,
  PgDeclarationStore,
  PgKeyHoldStore,
  WriteProbe,
} from '@mayfly/persistence';
import { LeaseQueue, postgresBackend, redisBackend } from '@mayfly/queue';
import { TokenVerifier } from '@mayfly/trust';
import { HistoryService } from '../history/history.service.js';
import { ResourceServers } from '../oauth/resource-servers.js';
import { TokensService } from '../oauth/tokens.service.js';
import { KeyHolds } from '@mayfly/issuance';
import { taskView } from '../tasks/task.view.js';
import { TasksService } from '../tasks/tasks.service.js';
import { buildFoundation, type Foundation, type ServiceInputs } from './foundation.js';
import { buildIssuance } from './issuance.js';
import { buildProviders } from './build-providers.js';

/** All parts of the running service. Only boot/ constructs them, once per process. */
export type Services = Awaited<ReturnType<typeof buildServices>>;

export async function buildServices(inputs: ServiceInputs) {
  const foundation = await buildFoundation(inputs);
  const { providers, closeProviders } = buildProviders(foundation);
  const path = buildIssuance(foundation, providers, foundation.secrets);
  const writeProbe = new WriteProbe(foundation.database.pool);
  const parts = { ...foundation, ...path, providers };
  return {
    ...parts,
    closeProviders,
    ...buildAgentSide(parts),
    ...buildPlatformSide(parts, inputs),
    ...buildWorkerSide(foundation, inputs),
    /**
     * Resolves when the service can grant and revoke: the database takes writes, the catalog is fresh and a signing key
     * exists. Throws `unavailable` otherwise.
     */
    ready: async (): Promise<void> => {
      await writeProbe.check();
      foundation.catalog.requireFresh();
      foundation.keyRing.signer();
    },
  };
}

type Parts = Foundation & ReturnType<typeof buildIssuance> & Pick<ReturnType<typeof buildProviders>, 'providers'>;

/** Builds the services behind the routes of agents and resource servers. */
function buildAgentSide(parts: Parts) {
  const { database, sealer, clock, keyRing, publicUrl, catalog, providers, tasks, ending, refusals, observer } = parts;
  const keyHoldStore = new PgKeyHoldStore(database.pool);
  const keyHolds = new KeyHolds({
    store: keyHoldStore,
    sealing: sealer,
    ...{ clock, observer },
    tasks: {
      view: async (taskId) => {
        const task = await tasks.find(taskId);
        return task === undefined ? { id: taskId } : taskView(task);
      },
      takeBack: (taskId) => ending.end({ taskId, cause: 'issuance_failed', reason: 'not delivered', actor: MAYFLY }),
    },
  });
  const tokensService = new TokensService({
    issuer: publicUrl,
    verifier: new TokenVerifier(keyRing, clock),
    leases: new LeaseReader(database.pool),
    resourceServers: new ResourceServers(catalog, providers),
    ending,
    refusals,
  });
  const tasksService = new TasksService({ ...parts, keyHolds });
  return { keyHoldStore, tasksService, tokensService };
}

/** Builds the services behind the routes of platform teams, operators and auditors. */
function buildPlatformSide(parts: Parts, { backing }: ServiceInputs) {
  const { database, clock, providers, egress, secrets, targets, closingStore, closing, catalog, report } = parts;
  const store = new PgDeclarationStore(database.pool);
  const { records } = store;
  const context = { providers: providers.all, egress, secretFault: secrets.faultOf.bind(secrets) };
  const examination = new TargetExamination(targets);
  const rules = { rolesOverApi: backing.embedded !== undefined, fourEyes: backing.embedded === undefined };
  const { rolesOverApi, fourEyes } = rules;
  const after = { catalog, clock, report };
  const agentEndings = new AgentEndings(database.pool, closingStore);
  return {
    agentEndings,
    agentLifecycle: new AgentLifecycle({
      store: new PgAgentLifecycleStore(database.pool, agentEndings),
      ...{ closing, ...after },
    }),
    connectionLifecycle: new ConnectionLifecycle({
      store: new PgConnectionLifecycleStore(database.pool),
      ...{ records, targets, ...after },
    }),
    declarations: new Declarations({ store, context, rolesOverApi, ...after }),
    declarationChecks: new DeclarationChecks({ store, context, examination, ...rules }),
    issuerTests: new IssuerTests({ ...parts, records, audit: parts.issuanceStore }),
    templates: new Templates({ store, providers: providers.all, examination, fourEyes, ...after }),
    historyService: new HistoryService(new HistoryReader(database.pool), new AuditReader(database.pool)),
  };
}

/** Builds the background parts. The queue starts revocations on time; without it, the sweep finds them. */
function buildWorkerSide({ config, database, clock, log }: Foundation, { backing }: ServiceInputs) {
  const backend = config.redisUrl === undefined ? postgresBackend(backing.url) : redisBackend(config.redisUrl);
  return {
    outbox: new Outbox(database.pool),
    auditSealer: new AuditSealer(database.pool),
    queue: config.queue ? new LeaseQueue(backend, clock, log) : undefined,
  };
}
