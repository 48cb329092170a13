import { setTimeout as pause } from 'node:timers/promises';
import { unlessAborted, type RevocationOutcome } from '@mayfly/credentials';
import { GroupCommit, Problem } from '@mayfly/kernel';
import { codeOf, DEPENDENT_OBJECTS, IN_THE_WAY, NAME_TAKEN, OUT_OF_LOCKS, UNDEFINED_OBJECT } from '../failures.js';
import type { PostgresHandle } from '../postgres.schemas.js';
import { makersIn, type ServerFacts } from '../server-facts.js';
import { NotConnected } from '../errors.js';
import type { Session } from '../session.js';
import { DatabaseTarget, type TargetAddress } from '../target.js';
import { dropWithBelongings, strip } from './belongings.js';
import {
  findRoles,
  foundRole,
  PREPARED,
  remainingRoles,
  type FoundRole,
  type PreparedTransaction,
  type RoleRow,
} from './looks.js';
import { Obstacles } from './obstacles.js';
import { PreparedEnding } from './prepared.js';
import { insist, untilFree } from './resistance.js';
import { SessionEnding } from './session-ending.js';
import { barStatements, dropStatements, message, probeStatements, unlessState } from './statements.js';
import { inStep, STEPS } from './step.js';
import type { Watch } from './watch.js';

/** Lock timeout of a group. When an agent holds the lock for longer, each role is changed alone. */
const GROUP_PATIENCE_MS = 50;
const GROUP_DEADLINE_MS = 10_000;
const ROOM_PAUSE_MS = 5;
const GROUP = { maxItems: 64, maxRunning: 1, maxWaiting: 100_000 };

const ELSEWHERE = 'the connection names another server than the one that has the credential; set its `url` back';

/** The handle of a role to end. The scope role of an object that no lease explains may be unknown. */
export type EndedHandle = Pick<PostgresHandle, 'role' | 'target'> & Partial<Pick<PostgresHandle, 'scopeRole'>>;

/**
 * Ends lease roles at one target, and groups concurrent calls. A role that an agent blocks leaves its group and
 * continues alone, over separate connections, so that it delays no other role.
 */
export class RevocationDesk {
  /** the sessions for groups; kept open while leases live at the target */
  readonly grouped: DatabaseTarget;
  /** the sessions for a role that leaves its group */
  private readonly alone: DatabaseTarget;
  readonly obstacles: Obstacles;
  private readonly prepared: PreparedEnding;
  private readonly sessions: SessionEnding;
  private readonly finding: GroupCommit<string, FoundRole | undefined>;
  private readonly barring: GroupCommit<FoundRole, true>;
  private readonly dropping: GroupCommit<FoundRole, true>;

  constructor(
    private readonly address: TargetAddress,
    private readonly watch: Watch,
  ) {
    this.grouped = new DatabaseTarget(address, 2, { idleSeconds: 0 });
    this.alone = new DatabaseTarget(address, 4);
    this.sessions = new SessionEnding(watch);
    this.prepared = new PreparedEnding(address, watch, this.grouped);
    this.obstacles = new Obstacles(watch, this.prepared);
    this.finding = new GroupCommit((names) => this.findAll(names), { ...GROUP, isOfOneItem: () => false });
    this.barring = this.group(barStatements);
    this.dropping = this.group(dropStatements);
  }

  /**
   * Ends one lease role in an order that leaves no gap: bar new logins (committed), end its sessions until none is
   * left, roll back its prepared transactions, only then remove membership and role, then check for late sessions. A
   * session that outlived its membership could go on reading by an earlier SET ROLE. Waits for a mint of the same role
   * that is in progress, and for nothing that an agent can hold. `already_gone` proves that the role does not exist
   * now; a mint that is still in transit can create it until its `mintBy`. Throws `StepFailure`.
   */
  async end(handle: EndedHandle, signal: AbortSignal): Promise<RevocationOutcome> {
    const facts = await inStep(STEPS.find, () => this.watch.facts(signal));
    if (handle.target !== undefined && handle.target !== facts.identity) return { kind: 'unknown', detail: ELSEWHERE };
    const role = await inStep(STEPS.find, () => this.find(handle.role, signal));
    if (role === undefined) return { kind: 'already_gone' };
    await this.barAndStrike(role, signal);
    await inStep(STEPS.sessions, () => this.sessions.end(role.oid, 2, signal));
    await inStep(STEPS.prepared, () => this.rollBack(role, handle, facts, signal));
    const remains = await inStep(STEPS.drop, () => this.drop(role, handle, facts, signal));
    // a login that passed authentication before the bar appears late; it has no rights by then
    await inStep(STEPS.sessions, () => this.sessions.end(role.oid, 1, signal));
    return remains === undefined ? { kind: 'revoked' } : { kind: 'revoked', remains };
  }

  async close(): Promise<void> {
    await Promise.all([this.grouped.close(), this.alone.close()]);
  }

  /**
   * Retries to drop the roles of ended leases that could not be dropped: the objects that depend on them may be gone.
   */
  async tidy(signal: AbortSignal): Promise<void> {
    const facts = await this.watch.facts(signal);
    const { rows } = await this.watch.run<RoleRow>(remainingRoles(makersIn(facts)), signal);
    for (const role of rows.map((row) => foundRole(row, this.address.role, facts))) {
      await this.use(this.alone, signal, (session) => dropWithBelongings(session, role, facts)).catch(() => undefined);
    }
  }

  /** Bars new logins and ends the open sessions. Tries both, even when one fails, and throws the first failure. */
  private async barAndStrike(role: FoundRole, signal: AbortSignal): Promise<void> {
    const [barred, struck] = await Promise.allSettled([
      inStep(STEPS.bar, () => this.bar(role, signal)),
      inStep(STEPS.sessions, () => this.sessions.end(role.oid, 0, signal)),
    ]);
    for (const step of [barred, struck]) if (step.status === 'rejected') throw step.reason;
  }

  /** Returns the role, or undefined when it does not exist and no mint of it is in progress. */
  private async find(name: string, signal: AbortSignal): Promise<FoundRole | undefined> {
    for (;;) {
      const found = await unlessAborted(signal, this.finding.submit(name));
      if (found !== undefined) return found;
      // creating the role waits for a mint in progress, at the server's unique index on role names
      const role = foundRole({ name, oid: '0', maker: null }, this.address.role, await this.watch.facts(signal));
      const probing = probeStatements(role).join(';\n');
      const isFree = await this.withRoom(signal, () =>
        this.use(this.alone, signal, (session) => unlessState(NAME_TAKEN, () => session.query(probing))),
      );
      if (isFree) return undefined;
    }
  }

  private async bar(role: FoundRole, signal: AbortSignal): Promise<void> {
    try {
      await this.inGroup(this.barring, role, barStatements([role]), signal);
    } catch (error) {
      // another process dropped the role; its sessions must still be ended
      if (codeOf(error) !== UNDEFINED_OBJECT) throw error;
    }
  }

  /**
   * Drops the role. Returns undefined, or a sentence on the role that remains, which can neither log in nor use
   * anything.
   */
  private async drop(
    role: FoundRole,
    { scopeRole }: EndedHandle,
    facts: ServerFacts,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const dropped = await unlessState([DEPENDENT_OBJECTS], () =>
      this.inGroup(this.dropping, role, dropStatements([role]), signal),
    );
    if (dropped) return undefined;
    return this.withRoom(signal, () =>
      this.use(this.alone, signal, async (session) => {
        if (await untilFree(signal, () => dropWithBelongings(session, role, facts))) return undefined;
        const places = await strip(session, role, scopeRole);
        return `role \`${role.name}\` remains without any right, because it owns objects in ${places}; drop them`;
      }),
    );
  }

  /**
   * Rolls back the prepared transactions of the role and of its scope role. Only a lease can have prepared the latter,
   * and only before PostgreSQL 16.
   */
  private async rollBack(
    role: FoundRole,
    { scopeRole }: EndedHandle,
    facts: ServerFacts,
    signal: AbortSignal,
  ): Promise<void> {
    if (facts.preparedTransactions === 0) return;
    const { rows } = await this.watch.run<PreparedTransaction & Record<string, unknown>>(PREPARED, signal);
    for (const one of rows.filter(({ owner }) => owner === role.name || owner === scopeRole)) {
      await this.withRoom(signal, () => this.prepared.rollBack(one, signal));
    }
  }

  /** Changes the role with others in one message, or alone when an agent blocks the group. */
  private async inGroup(
    group: GroupCommit<FoundRole, true>,
    role: FoundRole,
    statements: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const worked = await this.withRoom(signal, () =>
      unlessState(IN_THE_WAY, () => unlessAborted(signal, group.submit(role))),
    );
    if (worked) return;
    await this.withRoom(signal, () =>
      this.use(this.alone, signal, (session) => insist(session, role, statements, signal)),
    );
  }

  private group(statements: (roles: readonly FoundRole[]) => readonly string[]): GroupCommit<FoundRole, true> {
    const commit = (roles: readonly FoundRole[]): Promise<readonly true[]> =>
      this.use(this.grouped, AbortSignal.timeout(GROUP_DEADLINE_MS), async (session) => {
        await session.query(message(GROUP_PATIENCE_MS, statements(roles)));
        return roles.map(() => true as const);
      });
    return new GroupCommit(commit, { ...GROUP, isOfOneItem: (error) => /^\w{5}$/.test(codeOf(error)) });
  }

  private async findAll(names: readonly string[]): Promise<readonly (FoundRole | undefined)[]> {
    const signal = AbortSignal.timeout(GROUP_DEADLINE_MS);
    let facts = await this.watch.facts(signal);
    const { rows } = await this.watch.run<RoleRow>(findRoles(names, makersIn(facts)), signal);
    if (rows.some(({ maker }) => maker === null) && mayHaveChanged(facts)) {
      // the functions may have been installed after the watch logged in
      await this.watch.renew(signal);
      facts = await this.watch.facts(signal);
    }
    const byName = new Map(rows.map((role) => [role.name, foundRole(role, this.address.role, facts)]));
    return names.map((name) => byName.get(name));
  }

  /** Retries while the server's lock table is full, and ends the sessions of leases that hold too many locks. */
  private async withRoom<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (codeOf(error instanceof NotConnected ? error.cause : error) !== OUT_OF_LOCKS || signal.aborted) throw error;
        await this.watch.relieve(signal);
        await pause(ROOM_PAUSE_MS);
      }
    }
  }

  /**
   * Runs `work` in a session at the watch's server. When the servers differ, renews the watch and retries once: the
   * address may have changed after either session was opened.
   */
  private async use<T>(
    target: DatabaseTarget,
    signal: AbortSignal,
    work: (session: Session, facts: ServerFacts) => Promise<T>,
  ): Promise<T> {
    try {
      if (target === this.grouped) return await this.useOnce(target, signal, work);
      return await this.obstacles.clearedDuring(signal, () => this.useOnce(target, signal, work));
    } catch (error) {
      if (!(error instanceof Problem) || error.detail !== ELSEWHERE) throw error;
      // `DatabaseTarget.use` has closed the session at the other server
      await this.watch.renew(signal);
      return this.useOnce(target, signal, work);
    }
  }

  /** Falls back to a session for groups when no other connection can be opened. */
  private async useOnce<T>(
    target: DatabaseTarget,
    signal: AbortSignal,
    work: (session: Session, facts: ServerFacts) => Promise<T>,
  ): Promise<T> {
    const { identity } = await this.watch.facts(signal);
    const checked = (at: DatabaseTarget) => async (session: Session) => {
      const facts = await at.facts(session);
      if (facts.identity !== identity) throw elsewhere(ELSEWHERE);
      return work(session, facts);
    };
    try {
      return await target.use(signal, checked(target));
    } catch (error) {
      if (target === this.grouped || !(error instanceof NotConnected)) throw error;
      return this.grouped.use(signal, checked(this.grouped));
    }
  }
}

/** True when a role without a maker cannot be changed by what was found at the server (PostgreSQL 16 and newer). */
function mayHaveChanged({ version, functions, isSuperuser }: ServerFacts): boolean {
  return version >= 160_000 && !functions && !isSuperuser;
}

function elsewhere(detail: string): Problem {
  return new Problem('provider_unavailable', detail);
}
