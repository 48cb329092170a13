import type { ProviderRegistry, SecretSource } from '@mayfly/credentials';
import {
  Assessor,
  ConnectionGates,
  LeaseClosing,
  Minter,
  Planner,
  StandingUpkeep,
  Targets,
  TaskEnding,
  TaskIssuance,
  TaskRenewal,
  type StepObserver,
} from '@mayfly/issuance';
import { PgClosingStore, PgDenialStore, PgIssuanceStore, PgTaskStore } from '@mayfly/persistence';
import type { Foundation } from './foundation.js';

/** The path of `POST /tasks` and everything that ends what it grants. */
export function buildIssuance(foundation: Foundation, providers: ProviderRegistry, secrets: SecretSource) {
  const { config, database, clock, sealer, catalog, metrics, report } = foundation;
  const observer = stepObserver(config.failpoint);
  const targets = new Targets(providers, catalog, secrets);
  const issuanceStore = new PgIssuanceStore(database.pool);
  const closingStore = new PgClosingStore(database.pool, clock);
  const tasks = new PgTaskStore(database.pool, database.prisma);
  const gates = new ConnectionGates(catalog);
  const closing = new LeaseClosing({ store: closingStore, targets, sealing: sealer, metrics, clock, report });
  const upkeep = new StandingUpkeep({
    store: new PgDenialStore(database.pool, clock),
    targets,
    sealing: sealer,
    report,
  });
  const ending = new TaskEnding(closingStore, closing);
  const issuance = new TaskIssuance({
    assessor: new Assessor(catalog, targets, clock, observer),
    planner: new Planner(targets, sealer, gates),
    minter: new Minter(metrics, gates, issuanceStore, sealer),
    store: issuanceStore,
    sealing: sealer,
    ending,
    metrics,
    observer,
    clock,
  });
  const renewal = new TaskRenewal({ issuance, tasks, targets, sealing: sealer, gates, metrics, clock });
  return { issuanceStore, closingStore, tasks, targets, gates, closing, upkeep, ending, issuance, renewal };
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
