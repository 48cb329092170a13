import { prepareDemoDatabase } from '@mayfly/embedded';
import type { LockdownKind } from '@mayfly/tasks';
import { openDatabaseScene, type BrokerProcess, type DatabaseScene } from './broker-process.js';
import {
  agentDocument,
  connectionDocument,
  databaseCredential,
  identityOf,
  templateDocument,
  yamlOf,
} from './declared.js';
import { startFaultyDoor, type FaultyDoor } from './faulty-door.js';
import { type OwnPostgres, startOwnPostgres } from './own-postgres.js';

/** The replica that is cut off from the database: its connections pass a door of its own. */
export const VICTIM = 1;
/** The time for which the victim grants without a look for lockdowns; the others have the default. */
export const VICTIM_AGE_SECONDS = 1;
/** Every fourth ground has a database role, so that its tasks are granted in two commits. */
const GROUNDS_WITH_A_ROLE = 4;
/** Kinds whose lockdowns can cover one ground alone, in the order in which grounds use them. */
const KINDS = ['agent', 'template', 'owner', 'runtime'] as const satisfies readonly LockdownKind[];

export interface Scope {
  readonly kind: LockdownKind;
  readonly name?: string;
}

/**
 * An agent, a template, an owner, a runtime and, for some, a connection, all with one name that nothing else has: its
 * lockdown is about it alone, so several grounds can be locked down at once.
 */
export interface Ground {
  readonly name: string;
  readonly hasRole: boolean;
  readonly scope: Scope;
}

export function groundsOf(count: number): readonly Ground[] {
  return Array.from({ length: count }, (_, place) => {
    const name = `ground-${String(place)}`;
    const hasRole = place % GROUNDS_WITH_A_ROLE === 0;
    const isByConnection = hasRole && place % (2 * GROUNDS_WITH_A_ROLE) === 0;
    const kind = isByConnection ? 'connection' : KINDS[place % KINDS.length]!;
    return { name, hasRole, scope: { kind, name } };
  });
}

/** Three processes of the broker on one database; one of them reaches it through a door. */
export interface LockdownScene extends DatabaseScene {
  readonly door: FaultyDoor;
  readonly replicas: readonly BrokerProcess[];
  /** the superuser's URL of the database that the roles are for */
  readonly rolesUrl: string;
  /** Starts a fourth process, which dies at the failpoint. */
  startDying(failpoint: string): Promise<BrokerProcess>;
}

export async function openLockdownScene(grounds: readonly Ground[]): Promise<LockdownScene> {
  // A target of its own: the tasks may open more connections than the shared server has for all specs.
  const target: OwnPostgres = await startOwnPostgres();
  const CRM_DATABASE_URL = await prepareDemoDatabase(target.server);
  const scene = await openDatabaseScene(yamlOf(...grounds.flatMap(documentsOf)));
  const door = await startFaultyDoor(scene.database.url);
  const behindDoor = new URL(scene.database.url);
  behindDoor.port = new URL(door.url).port;
  const start = (more = {}) => scene.start({ CRM_DATABASE_URL, ...more });
  const first = await start();
  const cutOff = { DATABASE_URL: behindDoor.href, MAYFLY_LOCKDOWN_AGE_SECONDS: String(VICTIM_AGE_SECONDS) };
  const replicas = [first, ...(await Promise.all([start(cutOff), start()]))];
  return {
    ...{ ...scene, door, replicas, rolesUrl: target.server.url('crm', 'postgres') },
    startDying: (failpoint) => start({ MAYFLY_FAILPOINT: failpoint, MAYFLY_WORKER: 'off' }),
    close: async () => {
      await scene.close();
      await door.stop();
      await target.remove();
    },
  };
}

function documentsOf({ name, hasRole }: Ground) {
  const quota = { tasksPerMinute: 100_000, concurrentTasks: 100_000 };
  const token = { audience: 'https://cases.example', operations: ['cases.read'] };
  const credentials = [
    { name: 'api', provider: 'signed-token', scope: token },
    ...(hasRole ? [databaseCredential(name)] : []),
  ];
  const config = { url: 'env:CRM_DATABASE_URL', maxConnections: 1 };
  return [
    agentDocument(name, { owner: name, identities: [{ ...identityOf(name), runtime: name }] }),
    ...(hasRole ? [connectionDocument(name, { owner: 'crm-platform', config })] : []),
    templateDocument(name, {
      ...{ quota, credentials },
      requesters: { agents: { duty: 'support' }, runtimes: [name] },
    }),
  ];
}
