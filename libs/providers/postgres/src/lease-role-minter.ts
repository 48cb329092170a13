import { unlessAborted, type MintOrder } from '@mayfly/credentials';
import { GroupCommit, Problem } from '@mayfly/kernel';
import { escapeIdentifier } from 'pg';
import { capacityOf, ConnectionCapacity } from './connection-capacity.js';
import { NotConnected } from './errors.js';
import { codeOf, IN_THE_WAY, provesRollback, UNDEFINED_OBJECT } from './failures.js';
import { createMessage, type LeaseRole } from './lease-role.js';
import { callForLeases } from './owner-functions.js';
import type { PostgresConfig, PostgresHandle, PostgresScope } from './postgres.schemas.js';
import { refusePreparedTransactions } from './prepared-transactions.js';
import type { Privilege } from './scope-privileges.js';
import { ensureScopeRole } from './scope-roles.js';
import type { ServerFacts } from './server-facts.js';
import type { Session } from './session.js';
import type { DatabaseTarget } from './target.js';

/** One lease role to create. */
export interface LeaseRoleOrder {
  readonly order: MintOrder<PostgresConfig, PostgresScope>;
  readonly handle: PostgresHandle;
  readonly wanted: readonly Privilege[];
  readonly verifier: string;
  /** the mark of the lease, when the provider was built with marks */
  readonly mark?: string | undefined;
}

/** The server of a lease role, and the role that created it; no creator where the session's role or a function did. */
export interface Made {
  readonly facts: ServerFacts;
  readonly creator: string | undefined;
}

/** The connections of one target for mints. */
export interface MintTargets {
  /** for groups: one session, and the scope roles that were verified */
  readonly grouped: DatabaseTarget;
  /** for a role that cannot be created in a group, and for scope roles */
  readonly alone: DatabaseTarget;
}

interface Waiting {
  readonly lease: LeaseRoleOrder;
  /** a call that aborts before its message is sent creates nothing */
  readonly signal: AbortSignal;
  isSent: boolean;
}

/** Thrown to each member of a group that made nothing: the member then runs alone. */
class LeftGroup extends Error {}

const GROUP = { maxItems: 32, maxRunning: 1, maxWaiting: 100_000, isOfOneItem: () => false };
/** Lease roles that one creator makes before a session for groups takes the next creator. */
const ROLES_IN_TURN = 256;
/**
 * Lock timeout of a group. A group that waits longer is rolled back and each of its roles is made alone, so that a role that
 * must wait delays no other.
 */
const GROUP_PATIENCE_MS = 250;
const GROUP_DEADLINE_MS = 10_000;

/**
 * Creates lease roles within the server's connection capacity. The roles that arrive at one target while a message is
 * under way are created by the next message. When a group fails and the server has rolled it back, each of its members
 * is created alone, so that a bad one fails alone. Any other failure leaves the outcome of each member unknown.
 */
export class LeaseRoleMinter {
  /** starts anywhere, so that several processes do not take the same creator */
  private turn = Math.floor(Math.random() * 1_000);
  /** the creators that the sessions for groups work as */
  private readonly working = new WeakMap<Session, { readonly creator: string; made: number }>();
  private readonly capacities = new Map<string, ConnectionCapacity>();
  private readonly groups = new WeakMap<DatabaseTarget, GroupCommit<Waiting, Made>>();

  /**
   * Creates the role. Throws `NotConnected` when no statement was sent, `Problem`,
   * or the error of the server.
   */
  async create(targets: MintTargets, lease: LeaseRoleOrder, signal: AbortSignal): Promise<Made> {
    await this.ensureScope(targets, lease, signal);
    const waiting: Waiting = { lease, signal, isSent: false };
    try {
      return await unlessAborted(signal, this.groupAt(targets.grouped).submit(waiting));
    } catch (error) {
      if (signal.aborted && !waiting.isSent) throw new NotConnected(error);
      if (!(error instanceof LeftGroup)) throw error;
    }
    return this.createAlone(targets, lease, signal);
  }

  private groupAt(grouped: DatabaseTarget): GroupCommit<Waiting, Made> {
    const known = this.groups.get(grouped);
    if (known !== undefined) return known;
    const group = new GroupCommit<Waiting, Made>((items) => this.createGroup(grouped, items), GROUP);
    this.groups.set(grouped, group);
    return group;
  }

  private async createGroup(grouped: DatabaseTarget, items: readonly Waiting[]): Promise<readonly Made[]> {
    const wanted = items.filter(({ signal }) => !signal.aborted);
    for (const one of wanted) one.isSent = true;
    if (wanted.length === 0) throw new Error('no caller waits for the group');
    const leases = wanted.map(({ lease }) => lease);
    try {
      const made = await grouped.use(AbortSignal.timeout(GROUP_DEADLINE_MS), (session) =>
        this.createIn(grouped, session, leases, GROUP_PATIENCE_MS),
      );
      return items.map(() => made);
    } catch (error) {
      const mayRunAlone = leases.length > 1 || [...IN_THE_WAY, UNDEFINED_OBJECT].includes(codeOf(error));
      throw mayRunAlone && provesRollback(error) ? new LeftGroup('the group was rolled back', { cause: error }) : error;
    }
  }

  private async createAlone(targets: MintTargets, lease: LeaseRoleOrder, signal: AbortSignal): Promise<Made> {
    const create = (): Promise<Made> =>
      targets.alone.use(signal, (session) => this.createIn(targets.alone, session, [lease]));
    try {
      return await create();
    } catch (error) {
      if (codeOf(error) !== UNDEFINED_OBJECT) throw error;
    }
    // the scope role was dropped; the server rolled back the whole message, so a retry is still one effect
    targets.grouped.verifiedScopes.delete(lease.handle.scopeRole);
    await this.ensureScope(targets, lease, signal);
    return create();
  }

  private async ensureScope(
    { grouped, alone }: MintTargets,
    { order, handle: { scopeRole }, wanted }: LeaseRoleOrder,
    signal: AbortSignal,
  ): Promise<void> {
    if (grouped.verifiedScopes.has(scopeRole)) return;
    await alone.use(signal, async (session) => {
      const facts = await alone.facts(session);
      refusePreparedTransactions(order.config, facts);
      await ensureScopeRole(grouped.verifiedScopes, session, scopeRole, wanted, facts);
    });
  }

  /** Creates all roles or none, in one message. */
  private async createIn(
    target: DatabaseTarget,
    session: Session,
    leases: readonly LeaseRoleOrder[],
    lockTimeoutMillis?: number,
  ): Promise<Made> {
    const facts = await target.facts(session);
    const configs = leases.map(({ order }) => order.config);
    for (const config of configs) refusePreparedTransactions(config, facts);
    const limit = configs.reduce((sum, { maxConnections }) => sum + maxConnections, 0);
    const capacity = Math.min(...configs.map((config) => capacityOf(config, facts)));
    const isGroup = lockTimeoutMillis !== undefined;
    const creator = await this.creatorFor(isGroup, session, leases.length, facts);
    const made = { isDone: false };
    try {
      await this.capacityAt(facts.identity).within(session, limit, capacity, async (counting) => {
        await session.query(
          createMessage(leases.map(roleOf), {
            facts,
            creator,
            isCreator: isGroup,
            capacity: counting,
            lockTimeoutMillis,
          }),
        );
        made.isDone = true;
      });
    } catch (error) {
      // concurrent mints over the capacity drop their roles too, so that the remaining roles fit
      if (made.isDone && error instanceof Problem) await undo(session, leases, { facts, creator });
      throw error;
    }
    return { facts, creator };
  }

  /**
   * Takes the creators in turn, because each change of a role costs the server as much as its creator has roles. A
   * session for groups keeps its creator for a while: to change it costs as much as all creators have roles.
   */
  private async creatorFor(
    isGroup: boolean,
    session: Session,
    count: number,
    facts: ServerFacts,
  ): Promise<string | undefined> {
    const { functions, creators } = facts;
    if (functions || creators.length === 0) return undefined;
    const known = this.working.get(session);
    if (known !== undefined && known.made < ROLES_IN_TURN) {
      known.made += count;
      return known.creator;
    }
    this.turn += 1;
    const creator = creators[this.turn % creators.length];
    if (!isGroup || creator === undefined) return creator;
    await session.query(`SET ROLE ${escapeIdentifier(creator)}`);
    this.working.set(session, { creator, made: count });
    return creator;
  }

  /** Never evicts an entry: a connection leads to few servers, and an entry takes a few bytes. */
  private capacityAt(identity: string): ConnectionCapacity {
    const server = identity.replace(/\/.*$/, '');
    const known = this.capacities.get(server) ?? new ConnectionCapacity();
    this.capacities.set(server, known);
    return known;
  }
}

function roleOf({ order, handle, verifier, mark }: LeaseRoleOrder): LeaseRole {
  const { expiresAt, issuedAt, mintBy, config } = order;
  const { role, scopeRole } = handle;
  return { role, scopeRole, verifier, maxConnections: config.maxConnections, expiresAt, issuedAt, mintBy, mark };
}

/** Drops the roles again. Throws an error without a code when that fails: the roles may then exist. */
async function undo(session: Session, leases: readonly LeaseRoleOrder[], { facts, creator }: Made): Promise<void> {
  const roles = leases.map(({ handle: { role } }) => role);
  const drops = facts.functions
    ? [callForLeases('drop_leases', roles)]
    : roles.map((role) => `DROP ROLE ${escapeIdentifier(role)}`);
  const statements = creator === undefined ? drops : [`SET LOCAL ROLE ${escapeIdentifier(creator)}`, ...drops];
  try {
    await session.query(statements.join(';\n'));
  } catch (cause) {
    throw new Error('roles beyond the capacity could not be dropped', { cause });
  }
}
