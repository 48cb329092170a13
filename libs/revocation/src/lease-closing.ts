import {
  attending,
  openHandle,
  type RevocationOutcome,
  type Sealing,
  type Targets,
  withDeadline,
} from '@mayfly/credentials';
import { addSeconds, type Clock, type JsonObject, type LeaseId, present, Problem } from '@mayfly/kernel';
import type { StepObserver } from '@mayfly/tasks';
import type { ClosingResult, ClosingStore, Lane, LeaseClaim } from './closing.store.js';
import type { RevocationAlarm } from './revocation-alarm.js';
import { TargetOutages } from './target-outages.js';

/** The deadline of one provider call. A claim lasts longer, so that no two workers close one lease at once. */
const REVOKE_DEADLINE_SECONDS = 10;
export const CLAIM_SECONDS = 30;
const MAX_RETRY_SECONDS = 60;
/**
 * The number of leases of one agent at one connection that this process closes at once. More leases wait, so that they
 * delay no other agent.
 */
const MAX_IN_LANE = 32;
/** The number of leases of one connection that this process closes at once. */
const MAX_AT_CONNECTION = 1_024;

/** Port: the duration of each provider call. */
export interface RevocationMetrics {
  /** Records the duration of one call of `revoke`. */
  providerAnswered(provider: string, operation: 'revoke', seconds: number): void;
}

/** The parts that closing works with. */
export interface ClosingParts {
  readonly store: ClosingStore;
  readonly targets: Targets;
  readonly sealing: Sealing;
  readonly metrics: RevocationMetrics;
  readonly observer: StepObserver;
  readonly clock: Clock;
  /** a monotonic clock in milliseconds, for pauses; default: the process's own */
  readonly monotonic?: () => number;
  readonly alarm: Pick<RevocationAlarm, 'failed' | 'worked'>;
  /** writes the log line of the first failed try of each lease */
  readonly tell: (text: string, facts: JsonObject) => void;
  /** called when results could not be written; the claims then lapse and a later sweep closes the leases */
  readonly report: (error: unknown) => void;
}

/** Revokes credentials: takes claims, calls providers, records results. Requests, jobs and the sweeper use it. */
export class LeaseClosing {
  private readonly inLanes = new Map<string, { readonly lane: Lane; readonly count: number }>();
  private readonly running = new Set<Promise<void>>();
  private readonly outages: TargetOutages;

  constructor(private readonly parts: ClosingParts) {
    this.outages = new TargetOutages(parts.monotonic ?? (() => performance.now()));
  }

  /**
   * Claims at most `limit` due leases, starts to close them, and returns their number. It does not wait for the
   * providers, so a slow provider does not delay the next sweep. Sufficient without any job (I3).
   */
  async sweep(limit: number): Promise<number> {
    const claims = await this.parts.store.claimDue({ limit, ...this.busy(), limitPerLane: MAX_IN_LANE });
    const work = this.close(claims).catch((error: unknown) => {
      this.parts.report(error);
    });
    this.running.add(work);
    void work.finally(() => this.running.delete(work));
    return claims.length;
  }

  /** Resolves when all work that `sweep` started is done. */
  async settled(): Promise<void> {
    await Promise.all(this.running);
  }

  /** Closes one lease when it is due. */
  async closeIfDue(leaseId: LeaseId): Promise<void> {
    await this.close(await this.parts.store.claimDue({ limit: 1, leaseId }));
  }

  /** Revokes each claimed lease and records the results. Connections do not wait for each other. */
  async close(claims: readonly LeaseClaim[]): Promise<void> {
    if (claims.length > 0) await this.parts.observer.reached('claim');
    const connections = new Set(claims.map(({ connection }) => connection));
    const groups = [...connections].map((name) => claims.filter(({ connection }) => connection === name));
    await everySettled(groups.map((group) => this.closeGroup(group)));
  }

  private async closeGroup(claims: readonly LeaseClaim[]): Promise<void> {
    for (const claim of claims) this.count(claim, 1);
    // Leases without a connection are recorded together; at a connection, a fast answer does not wait for a slow one.
    if (claims[0]?.connection === undefined) await this.closeAndRecord(claims);
    else await everySettled(claims.map((claim) => this.closeAndRecord([claim])));
  }

  private async closeAndRecord(claims: readonly LeaseClaim[]): Promise<void> {
    try {
      await this.parts.store.record(await Promise.all(claims.map((claim) => this.closeOne(claim))));
      await this.parts.observer.reached('close');
    } finally {
      for (const claim of claims) this.count(claim, -1);
    }
  }

  private async closeOne(claim: LeaseClaim): Promise<ClosingResult> {
    const started = performance.now();
    const outcome = await this.revoke(claim).catch((error: unknown): RevocationOutcome => {
      const detail = error instanceof Problem ? error.detail : 'the provider failed unexpectedly; try again later';
      return { kind: 'unknown', detail };
    });
    this.parts.metrics.providerAnswered(claim.provider, 'revoke', (performance.now() - started) / 1000);
    await this.parts.observer.reached('revoke');
    this.tellFirstFailure(claim, outcome);
    return this.resultOf(claim, outcome);
  }

  private async revoke(claim: LeaseClaim): Promise<RevocationOutcome> {
    const { handle, target } = await openHandle(this.parts.sealing, this.parts.targets, claim);
    const { provider, config } = target;
    const order = {
      leaseId: claim.id,
      config,
      handle,
      expiresAt: claim.expiresAt,
      ...(target.related === undefined ? {} : { related: target.related }),
      ...(claim.effectiveAt === undefined ? {} : { effectiveAt: claim.effectiveAt }),
    };
    const call = () => withDeadline(REVOKE_DEADLINE_SECONDS, (signal) => provider.revoke(order, signal));
    if (claim.connection === undefined) return call();
    // A lease keeps the configuration of its grant, so one connection can have several targets.
    const outcome = await this.outages.ask(`${claim.connection} ${JSON.stringify(target.declared)}`, call);
    this.tellAlarm(claim.connection, outcome, attending(provider) !== undefined);
    return outcome;
  }

  /** INVARIANT: I4, only the provider's proof makes a lease `revoked`; without it the lease stays `revoking`. */
  private resultOf(claim: LeaseClaim, outcome: RevocationOutcome): ClosingResult {
    const now = this.parts.clock.now();
    switch (outcome.kind) {
      case 'revoked':
      case 'already_gone':
        return {
          claim,
          state: claim.cause === 'expired' ? 'expired' : 'revoked',
          effectiveAt: outcome.effectiveAt ?? now,
          ...(outcome.remains === undefined ? {} : { remains: outcome.remains }),
        };
      case 'impossible':
        return claim.expiresAt <= now
          ? { claim, state: 'expired', effectiveAt: claim.expiresAt }
          : { claim, state: 'revoking', retryAt: claim.expiresAt, error: 'lives to its expiry' };
      case 'not_yet':
        return this.postponed(claim, outcome, outcome.effectiveAt);
      case 'unknown':
        return this.postponed(claim, outcome);
    }
  }

  private postponed(
    claim: LeaseClaim,
    { detail, retryAfterSeconds }: { readonly detail: string; readonly retryAfterSeconds?: number },
    effectiveAt?: Date,
  ): ClosingResult {
    const pause = Math.min(retryAfterSeconds ?? 2 ** claim.attempts, MAX_RETRY_SECONDS);
    const acknowledged = effectiveAt === undefined ? {} : { effectiveAt };
    return {
      claim,
      state: 'revoking',
      retryAt: addSeconds(this.parts.clock.now(), pause),
      error: detail,
      ...acknowledged,
    };
  }

  /** The fresh logins of an attended connection end its alarm; without them, only a revocation would. */
  private tellAlarm(connection: string, outcome: RevocationOutcome, isAttended: boolean): void {
    if (isAttended && outcome.kind === 'unknown' && outcome.unreached === true)
      this.parts.alarm.failed(connection, outcome.detail);
    if (outcome.kind === 'revoked' || outcome.kind === 'already_gone') this.parts.alarm.worked(connection);
  }

  /** Logs the first failure of a lease. The tries after it only change its `lastError` (`GET /leases?overdue=true`). */
  private tellFirstFailure(claim: LeaseClaim, outcome: RevocationOutcome): void {
    if (outcome.kind !== 'unknown' || claim.lastError !== undefined) return;
    const { id, taskId, agent, provider, connection } = claim;
    this.parts.tell('the revocation of a lease failed; Mayfly tries again', {
      ...{ leaseId: id, taskId, agent, provider, error: outcome.detail },
      ...present({ connection }),
    });
  }

  private count({ connection, agent }: LeaseClaim, change: number): void {
    if (connection === undefined) return;
    const key = JSON.stringify([connection, agent]);
    const count = (this.inLanes.get(key)?.count ?? 0) + change;
    if (count > 0) this.inLanes.set(key, { lane: { connection, agent }, count });
    else this.inLanes.delete(key);
  }

  private busy(): { busyLanes: readonly Lane[]; busyConnections: readonly string[] } {
    const lanes = [...this.inLanes.values()];
    const counts = new Map<string, number>();
    for (const { lane, count } of lanes) counts.set(lane.connection, (counts.get(lane.connection) ?? 0) + count);
    return {
      busyLanes: lanes.filter(({ count }) => count >= MAX_IN_LANE).map(({ lane }) => lane),
      busyConnections: [...counts].filter(([, count]) => count >= MAX_AT_CONNECTION).map(([name]) => name),
    };
  }
}

/** Waits for all promises, then throws the first failure, if any. */
async function everySettled(work: readonly Promise<void>[]): Promise<void> {
  const done = await Promise.allSettled(work);
  const failure = done.find(({ status }) => status === 'rejected');
  if (failure?.status === 'rejected') throw failure.reason;
}
