import { ProviderRegistry } from '@mayfly/credentials';
import { Catalog } from '@mayfly/declarations';
import { createGuardedFetch, IdentityVerifier, IssuerKeySource, publicEgress } from '@mayfly/identity';
import {
  Assessor,
  LeaseClosing,
  Minter,
  Planner,
  Targets,
  TaskEnding,
  TaskIssuance,
  TaskRenewal,
  type StepObserver,
} from '@mayfly/issuance';
import {
  AgentLifecycleStore,
  AuditReader,
  AuditSealer,
  Database,
  DatabaseClock,
  databaseProblem,
  HistoryReader,
  IdempotencyStore,
  LeaseReader,
  LeaseStatistics,
  Outbox,
  PgCatalogSource,
  PgClosingStore,
  PgDeclarationStore,
  PgIssuanceStore,
  PgSigningKeyStore,
  PgTaskStore,
  PgTemplateStore,
} from '@mayfly/persistence';
import { LeaseQueue, Metrics, postgresBackend, redisBackend, type QueueBackend } from '@mayfly/platform';
import { PostgresProvider } from '@mayfly/provider-postgres';
import { checkSignedToken, SignedTokenProvider } from '@mayfly/provider-signed-token';
import { KeyRing, Sealer, TokenSigner, TokenVerifier } from '@mayfly/trust';
import type { Logger } from 'pino';
import type { BrokerConfig } from '../config.js';
import { DeclarationsService } from '../declarations/declarations.service.js';
import { HistoryService } from '../history/history.service.js';
import { ResourceServers } from '../oauth/resource-servers.js';
import { TokensService } from '../oauth/tokens.service.js';
import { RefusalRecorder } from '../security/refusal.recorder.js';
import { Idempotency } from '../tasks/idempotency.service.js';
import { taskView } from '../tasks/task.view.js';
import { TasksService } from '../tasks/tasks.service.js';
import { TemplatesService } from '../templates/templates.service.js';
import type { Backing } from './database.js';
import { ProcessSecretSource } from './secret-source.js';

/** Every part of the running service. Built once, here; nothing else constructs one. */
export type Services = Awaited<ReturnType<typeof buildServices>>;

export interface ServiceInputs {
  readonly config: BrokerConfig;
  readonly backing: Backing;
  readonly publicUrl: string;
  readonly log: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export async function buildServices({ config, backing, publicUrl, log, environment }: ServiceInputs) {
  const report = (error: unknown): void => {
    log.error({ err: error }, 'background work failed');
  };
  const database = new Database({ url: backing.url, onConnectionLost: report });
  const clock = new DatabaseClock(database.pool);
  await clock.measure();

  const sealer = new Sealer({ current: backing.sealingKey });
  const keyRing = new KeyRing(new PgSigningKeyStore(database.pool, clock), sealer, clock);
  const egress = config.production ? publicEgress : { trustedHosts: ['localhost', '127.0.0.1', '::1'] };
  const verifier = new IdentityVerifier(new IssuerKeySource(createGuardedFetch({ egress }), clock), clock, { egress });

  const catalog = new Catalog(new PgCatalogSource(database.prisma), verifier, report);
  // The one list of providers: a new kind of credential is its folder and a line here.
  const postgres = new PostgresProvider();
  const providers = new ProviderRegistry([
    { provider: new SignedTokenProvider(new TokenSigner(keyRing, clock), publicUrl), check: checkSignedToken },
    { provider: postgres },
  ]);

  const declarations = new PgDeclarationStore(database.pool, clock, { providers: providers.all, egress });

  const metrics = new Metrics(new LeaseStatistics(database.pool));
  const observer = stepObserver(config.failpoint);
  const secrets = new ProcessSecretSource(environment, backing.embedded?.secrets ?? {});
  const targets = new Targets(providers, catalog, secrets);
  const issuanceStore = new PgIssuanceStore(database.pool);
  const closingStore = new PgClosingStore(database.pool, clock);
  const tasks = new PgTaskStore(database.pool, database.prisma);
  const closing = new LeaseClosing({ store: closingStore, targets, sealing: sealer, metrics, clock, report });
  const ending = new TaskEnding(closingStore, closing);
  const issuance = new TaskIssuance({
    assessor: new Assessor(catalog, providers, clock, observer),
    planner: new Planner(targets, sealer),
    minter: new Minter(metrics),
    store: issuanceStore,
    ending,
    metrics,
    observer,
    clock,
  });
  const renewal = new TaskRenewal({ issuance, tasks, targets, sealing: sealer, metrics, clock });

  const idempotencyStore = new IdempotencyStore(database.pool);
  const idempotency = new Idempotency(idempotencyStore, sealer, clock, async (taskId) => {
    const task = await tasks.find(taskId);
    return task === undefined ? { id: taskId } : taskView(task);
  });

  const refusals = new RefusalRecorder(issuanceStore, metrics, clock);
  const tokensService = new TokensService({
    issuer: publicUrl,
    verifier: new TokenVerifier(keyRing, clock),
    leases: new LeaseReader(database.pool),
    resourceServers: new ResourceServers(catalog),
    ending,
    refusals,
  });

  return {
    config,
    publicUrl,
    log,
    database,
    clock,
    sealer,
    keyRing,
    verifier,
    catalog,
    declarations,
    providers,
    postgres,
    metrics,
    tasks,
    issuanceStore,
    closingStore,
    closing,
    ending,
    issuance,
    renewal,
    targets,
    tasksService: new TasksService({ issuance, renewal, ending, tasks, issuanceStore, idempotency }),
    declarationsService: new DeclarationsService({
      declarations,
      lifecycle: new AgentLifecycleStore(database.pool, clock, closingStore),
      closing,
      catalog,
      report,
    }),
    templatesService: new TemplatesService({
      templates: new PgTemplateStore(database.pool, clock, providers.all),
      catalog,
      providers: providers.all,
      refusals,
      fourEyes: backing.embedded === undefined,
      report,
    }),
    tokensService,
    historyService: new HistoryService(new HistoryReader(database.pool), new AuditReader(database.pool)),
    refusals,
    idempotencyStore,
    outbox: new Outbox(database.pool),
    auditSealer: new AuditSealer(database.pool),
    /** Wakes the worker in time; without it the sweeper alone does. */
    queue: config.queue ? new LeaseQueue(queueBackendOf(config, backing), clock, log) : undefined,
    /** Resolves when the service can issue; throws `unavailable` otherwise. */
    ready: async (): Promise<void> => {
      await database.ping().catch(databaseProblem);
      keyRing.signer();
    },
  };
}

function queueBackendOf(config: BrokerConfig, backing: Backing): QueueBackend {
  return config.redisUrl === undefined ? postgresBackend(backing.url) : redisBackend(config.redisUrl);
}

/** Crash tests name a step after which the process is gone at once, as by a power cut. */
function stepObserver(failpoint: string | undefined): StepObserver {
  if (failpoint === undefined) return { reached: () => undefined };
  return {
    reached: (step) => {
      if (step === failpoint) process.kill(process.pid, 'SIGKILL');
    },
  };
}
