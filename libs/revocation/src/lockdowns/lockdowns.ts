import { type Actor, actorOf, auditEntry, type AuditEntry, type EntrySink } from '@mayfly/audit';
import type { Principal } from '@mayfly/identity';
import {
  type Clock,
  isId,
  type JsonObject,
  type LockdownId,
  newId,
  pageView,
  positionOf,
  Problem,
} from '@mayfly/kernel';
import { type LockdownScope, scopeWords, type StepObserver } from '@mayfly/tasks';
import { z } from 'zod';
import type { Lockdown, LockdownStore, LockedLockdown } from './lockdown.store.js';
import { lapsesAt, lockdownView, reachView } from './lockdown.view.js';

/** The most due leases that one sweep after an engagement claims. */
const SWEEP_LIMIT = 200;

const PositionSchema = z.string().refine((text): text is LockdownId => isId('lkd', text));

/** The parts that lockdowns work with. */
export interface LockdownsParts {
  readonly store: LockdownStore;
  /** the declared state in memory, which holds the lockdowns in force */
  readonly catalog: { refresh(): Promise<void> };
  readonly closing: { sweep(limit: number): Promise<number>; settled(): Promise<void> };
  /** takes the entries of refused calls */
  readonly audit: EntrySink;
  readonly observer: StepObserver;
  readonly clock: Clock;
  /** replaces what looks like a secret */
  readonly redact: (text: string) => string;
  /** receives errors after the commit; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/** The result of a call that engages or releases, with true when the call itself completed the change. */
export interface LockdownAnswer {
  readonly body: JsonObject;
  readonly isDone: boolean;
}

/**
 * The switch that ends everything an incident is about. An engagement is one commit: from then on, no replica grants,
 * renews or delivers anything under the scope, and no token under it is active. The tasks under it then end in batches.
 */
export class Lockdowns {
  constructor(private readonly parts: LockdownsParts) {}

  /** Returns what a lockdown of the scope would end now. Changes nothing. Throws as `engage` does. */
  async preview(caller: Principal, scope: LockdownScope): Promise<JsonObject> {
    await this.requireAllowed(caller, scope);
    return reachView(scope, await this.parts.store.reach(scope));
  }

  /**
   * Engages a lockdown and returns it, or the one of the same scope that is in force (`isDone` is false then); a request
   * for the release of that one is withdrawn. Resolves after the commit; the tasks end meanwhile and after that. Throws
   * `not_found` for a scope that names nothing, and `policy_denied` for the issuer of the caller.
   */
  async engage(caller: Principal, scope: LockdownScope, reason: string): Promise<LockdownAnswer> {
    await this.requireAllowed(caller, scope);
    const { store, catalog, clock, redact, report } = this.parts;
    const [id, told, actor] = [newId('lkd'), redact(reason), actorOf(caller)];
    const entryOf = (lockdown: LockdownId) =>
      auditEntry('lockdown.engaged', clock.now(), actor, {}, { lockdown, scope: { ...scope }, reason: told });
    const engaged = await store.engage({ id, scope, reason: told, actor, entry: entryOf(id) });
    await this.parts.observer.reached('engage');
    // Another operator may have released the lockdown in force meanwhile.
    if (engaged !== id && !(await this.keep(engaged, entryOf(engaged)))) return this.engage(caller, scope, reason);
    await catalog.refresh().catch(report);
    const lockdown = await this.require(engaged);
    // Also for an earlier engagement: its caller may have got no answer, and its process may be gone.
    if (engaged === id || lockdown.isEnding) void this.endTasks(engaged);
    return { body: lockdownView(lockdown), isDone: engaged === id };
  }

  /** Returns a lockdown with its progress. Throws `not_found`. */
  async view(id: LockdownId): Promise<JsonObject> {
    return lockdownView(await this.require(id));
  }

  /** Lists lockdowns, the newest first; with `inForce`, those alone that deny now. */
  async list(query: { limit: number; cursor?: string | undefined; inForce: boolean }): Promise<JsonObject> {
    const after = positionOf<LockdownId>(query.cursor, PositionSchema);
    const { items, next } = await this.parts.store.list({ inForce: query.inForce }, { limit: query.limit, after });
    return pageView(items.map(lockdownView), next);
  }

  /**
   * Asks for a release (`isDone` is false then), or releases the lockdown when another operator asked in the last 24
   * hours. Throws
   * `not_found`; `policy_denied` for the operator who asked; `conflict` while its tasks are being ended, and when it is
   * released.
   */
  async release(caller: Principal, id: LockdownId, reason: string): Promise<LockdownAnswer> {
    const actor = actorOf(caller);
    const outcome = await this.parts.store.underLock(id, (locked) => this.takeStep(locked, actor, id, reason));
    if (outcome instanceof Refused) throw await this.refuse(actor, outcome);
    if (outcome === 'released') await this.parts.catalog.refresh().catch(this.parts.report);
    return { body: await this.view(id), isDone: outcome === 'released' };
  }

  /** Withdraws a request for the release of a lockdown: one person asked for it who did not know of the new reason. */
  private keep(id: LockdownId, entry: AuditEntry): Promise<boolean> {
    return this.parts.store.underLock(id, async (locked) => {
      if (locked === undefined || locked.lockdown.released !== undefined) return false;
      if (locked.lockdown.releaseRequested !== undefined) await locked.withdrawRelease(entry);
      return true;
    });
  }

  private async takeStep(
    locked: LockedLockdown | undefined,
    actor: Actor,
    id: LockdownId,
    reason: string,
  ): Promise<'requested' | 'released' | Refused> {
    if (locked === undefined) throw unknown(id);
    const { lockdown } = locked;
    if (lockdown.released !== undefined)
      throw new Problem('conflict', `lockdown \`${id}\` is released already`, {
        help: 'do nothing: it denies nothing',
      });
    if (lockdown.isEnding)
      throw new Problem('conflict', `lockdown \`${id}\` is still ending tasks, so it cannot be released`, {
        ...{ retryAfterSeconds: 1, help: 'release it when its `state` is `engaged`' },
      });
    const { releaseRequested, scope } = lockdown;
    const told = this.parts.redact(reason);
    const facts = { lockdown: id, scope: { ...scope }, reason: told };
    const at = this.parts.clock.now();
    if (releaseRequested === undefined || lapsesAt(releaseRequested) <= at) {
      await locked.requestRelease(actor, told, auditEntry('lockdown.release-requested', at, actor, {}, facts));
      return 'requested';
    }
    if (isSame(releaseRequested.by, actor)) {
      const detail = `you asked for the release of lockdown \`${id}\`, and another operator must release it`;
      return new Refused(
        new Problem('policy_denied', detail, {
          control: 'lockdown-release',
          help: 'ask another operator to release it',
        }),
        { scope, lockdown: id },
      );
    }
    await locked.release(actor, auditEntry('lockdown.released', at, actor, {}, facts));
    return 'released';
  }

  private async requireAllowed(caller: Principal, scope: LockdownScope): Promise<void> {
    const actor = actorOf(caller);
    const { issuer } = caller.identity;
    if (scope.kind === 'issuer' && scope.name === issuer) {
      const detail = `issuer \`${issuer}\` vouches for you, so its lockdown would rest on the word of the issuer itself`;
      const problem = new Problem('policy_denied', detail, {
        ...{ control: 'lockdown-of-oneself', help: 'use kind `all`, or ask an operator of another issuer' },
      });
      throw await this.refuse(actor, new Refused(problem, { scope }));
    }
    if (await this.parts.store.knows(scope)) return;
    const unknownScope = new Problem('not_found', `there is no ${scopeWords(scope)}`, {
      help: 'check the name: a lockdown of a wrong name would stop nothing',
    });
    throw await this.refuse(actor, new Refused(unknownScope, { scope }));
  }

  /** Audits a refusal, and returns its problem. */
  private async refuse(actor: Actor, { problem, about }: Refused): Promise<Problem> {
    const { detail, code, extensions } = problem;
    const facts = { control: extensions.control ?? code, detail, ...about, scope: { ...about.scope } };
    await this.parts.audit.record([auditEntry('lockdown.refused', this.parts.clock.now(), actor, {}, facts)]);
    return problem;
  }

  private async endTasks(id: LockdownId): Promise<void> {
    const { store, closing, report } = this.parts;
    try {
      await store.endTasks(id);
      // This process closes all of them when no worker runs anywhere.
      while ((await closing.sweep(SWEEP_LIMIT)) > 0) await closing.settled();
    } catch (error) {
      report(error);
    }
  }

  private async require(id: LockdownId): Promise<Lockdown> {
    const lockdown = await this.parts.store.find(id);
    if (lockdown === undefined) throw unknown(id);
    return lockdown;
  }
}

/** A call that a control refuses, and what it was about. */
class Refused {
  constructor(
    readonly problem: Problem,
    readonly about: { readonly scope: LockdownScope; readonly lockdown?: LockdownId },
  ) {}
}

function unknown(id: LockdownId): Problem {
  return new Problem('not_found', `there is no lockdown \`${id}\``);
}

/** True for one person: the same subject of the same issuer. Two callers are not proven different without both. */
function isSame(one: Actor, other: Actor): boolean {
  if (!('subject' in one) || !('subject' in other)) return true;
  return one.issuer === other.issuer && one.subject === other.subject;
}
