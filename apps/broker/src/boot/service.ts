import type { AppliedDeclarations } from '@mayfly/declarations';
import { CatalogListener } from '@mayfly/persistence';
import { createLogger } from '@mayfly/telemetry';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { BrokerConfig } from '../config.js';
import { applyDirectory } from '../declarations/apply-directory.js';
import { applyBootstrapIssuers } from '../declarations/bootstrap-issuers.js';
import { followDeclaredState, startBackground } from './background.js';
import { type Backing, openBacking } from './database.js';
import type * as HttpRoutes from './http.js';
import { redactText } from './redaction.js';
import { buildServices, type Services } from './services.js';
import { namingAddress, namingSealingKey, requireDirectory } from './start-faults.js';
import { type Running, stop } from './stop.js';

/** The most leases that the queue's worker closes at once in one process. */
const JOB_CONCURRENCY = 8;

/** The running service. */
export interface Broker {
  readonly url: string;
  readonly backing: Backing;
  readonly services: Services;
  /** Finishes running requests and revocations, then closes all connections. */
  stop(): Promise<void>;
}

type HttpModule = Promise<typeof HttpRoutes>;

/** Starts database, services, declared state, background work and HTTP, in this order; stops all if a step fails. */
export async function startBroker(
  config: BrokerConfig,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Broker> {
  const log = createLogger({ level: config.logLevel, redact: redactText });
  if (config.secretsDir !== undefined)
    await requireDirectory('MAYFLY_SECRETS_DIR', config.secretsDir, 'the directory of the secrets');
  // Loads Nest and the routes while the database starts.
  const http = import('./http.js');
  const backing = await openBacking(config, (message) => {
    log.info(message);
  });
  const running: Running = { backing };
  try {
    backing.warnings.forEach((warning) => {
      log.warn(warning);
    });
    const publicUrl = config.publicUrl ?? `http://${config.host}:${String(config.port)}`;
    const services = (running.services = await buildServices({ config, backing, publicUrl, log, environment }));
    const app = await serve(services, running, http);
    return { url: await app.getUrl(), backing, services, stop: () => stop(running, log) };
  } catch (error) {
    // The caller gets the error of the start. `stop` logs its own errors.
    await stop(running, log).catch(() => undefined);
    throw error;
  }
}

async function serve(services: Services, running: Running, http: HttpModule): Promise<NestFastifyApplication> {
  const { config } = services;
  await namingSealingKey(() => services.keyRing.rotateIfDue());
  await applyDeclared(services, running.backing);
  await services.catalog.refresh();
  const app = (running.app = await (await http).createHttp(services));
  running.background = startBackground(services, config.worker);
  if (config.worker) services.queue?.work((leaseId) => services.closing.closeIfDue(leaseId), JOB_CONCURRENCY);
  running.listener = listenForChanges(services, running.backing);
  await namingAddress(() => app.listen(config.port, config.host));
  return app;
}

/** Applies the declaration files allowed in this mode; any error aborts the start. */
async function applyDeclared({ config, declarations, log }: Services, { embedded }: Backing): Promise<void> {
  const tell = ({ changes, warnings }: AppliedDeclarations): void => {
    warnings.forEach((warning) => {
      log.warn(warning);
    });
    const changed = changes.filter(({ change }) => change !== 'unchanged');
    log.info({ documents: changes.length, changed: changed.length }, 'declared state applied');
  };
  if (config.bootstrapIssuer !== undefined) tell(await applyBootstrapIssuers(declarations, config.bootstrapIssuer));
  if (config.configDir !== undefined || embedded !== undefined)
    tell(await applyDirectory(declarations, config.configDir, embedded?.issuer.documents));
}

function listenForChanges(services: Services, backing: Backing): CatalogListener {
  const report = (error: unknown): void => {
    services.log.error({ err: error }, 'declared state could not be read again');
  };
  const listener = new CatalogListener(backing.url, () => {
    followDeclaredState(services).catch(report);
  });
  listener.start().catch(report);
  return listener;
}
