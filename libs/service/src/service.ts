import type { AppliedDeclarations } from '@mayfly/declarations';
import { CatalogListener, SealedValuesReader } from '@mayfly/persistence';
import { createLogger } from '@mayfly/telemetry';
import type { AppServer } from './app-server.js';
import { applyDirectory } from './apply-directory.js';
import { type Background, followDeclaredState, startBackground } from './background.js';
import { applyBootstrapIssuers } from './bootstrap-issuers.js';
import { type Backing, openBacking } from './database.js';
import type { ServiceInputs } from './foundation.js';
import { redactText } from './redaction.js';
import { buildServices, type Services } from './services.js';
import { requireSealingKeys } from './sealing-keys.js';
import { namingSealingKey, requireDirectory } from './start-faults.js';
import { type Running, stop } from './stop.js';
import { unwrapSealingKeys } from './wrapped-keys.js';

/** The inputs that an app starts the service with. */
export interface StartInputs extends Pick<ServiceInputs, 'settings' | 'publicUrl' | 'variables'> {
  /** called once, when the declared state is in force */
  readonly createServer: (services: Services) => Promise<AppServer>;
}

/** The running service. */
export interface Service {
  readonly backing: Backing;
  readonly services: Services;
  /** Finishes running requests and revocations, then closes all connections. */
  stop(): Promise<void>;
}

/**
 * Starts database, services, declared state, background work and the app's server, in this order; stops all if a step
 * fails.
 */
export async function startService({ createServer, ...given }: StartInputs): Promise<Service> {
  const settings = await unwrapSealingKeys(given.settings, given.variables);
  const inputs = { ...given, settings };
  const log = createLogger({ level: settings.logLevel, redact: redactText });
  if (settings.secretsDir !== undefined)
    await requireDirectory('MAYFLY_SECRETS_DIR', settings.secretsDir, 'the directory of the secrets');
  const backing = await openBacking(settings, (message) => {
    log.info(message);
  });
  const running: Running = { backing };
  try {
    backing.warnings.forEach((warning) => {
      log.warn(warning);
    });
    const services = (running.services = await buildServices({ ...inputs, backing, log }));
    await serve(services, running, createServer);
    return { backing, services, stop: () => stop(running, log) };
  } catch (error) {
    // The caller gets the error of the start. `stop` logs its own errors.
    await stop(running, log).catch(() => undefined);
    throw error;
  }
}

async function serve(services: Services, running: Running, createServer: StartInputs['createServer']): Promise<void> {
  const { settings } = services;
  await services.quarantine.round();
  await namingSealingKey(() => services.keyRing.rotateIfDue());
  await requireSealingKeys(services.sealer, new SealedValuesReader(services.database.pool), services.log);
  await applyDeclared(services, running.backing);
  await services.catalog.refresh();
  const app = (running.app = await createServer(services));
  const background = (running.background = startBackground(services, settings.worker));
  running.listener = listenForChanges(services, running.backing, background);
  await app.listen();
}

/** Applies the declaration files allowed in this mode; any error aborts the start. */
async function applyDeclared({ settings, declarations, log }: Services, { embedded }: Backing): Promise<void> {
  const tell = ({ changes, warnings }: AppliedDeclarations): void => {
    warnings.forEach((warning) => {
      log.warn(warning);
    });
    const changed = changes.filter(({ change }) => change !== 'unchanged');
    log.info({ documents: changes.length, changed: changed.length }, 'declared state applied');
  };
  if (settings.bootstrapIssuer !== undefined) tell(await applyBootstrapIssuers(declarations, settings.bootstrapIssuer));
  if (settings.configDir !== undefined || embedded !== undefined)
    tell(await applyDirectory(declarations, settings.configDir, embedded?.issuer.documents));
}

function listenForChanges(services: Services, backing: Backing, background: Background): CatalogListener {
  const report = (error: unknown): void => {
    services.log.error({ err: error }, 'declared state could not be read again');
  };
  const listener = new CatalogListener(backing.url, () => {
    // An agent that another process suspended has leases to close.
    background.wake('sweep');
    followDeclaredState(services).catch(report);
  });
  listener.start().catch(report);
  return listener;
}
