import { setTimeout as pause } from 'node:timers/promises';
import type { DenyPolicyClaim } from '@mayfly/credentials';
import type { LeaseId } from '@mayfly/kernel';
import {
  CLAIM_SECONDS,
  DenyPolicyRound,
  type RoundParts,
  type RoundReport,
  type RoundWish,
  type DenyPolicyState,
} from './deny-policy-round.js';

/** Pause between two writes at one role: IAM's rate limit applies to the whole account. */
const PAUSE_MILLISECONDS = 500;
/** Longest wait for a claim of the revocation point that another process holds. */
const PATIENCE_MILLISECONDS = 2_000;
const LOOK_AGAIN_MILLISECONDS = 1_000;

export type DenyPolicyReport = RoundReport | { readonly kind: 'held' };

/** One caller's wish for the deny policy of a revocation point. */
export interface DenyPolicyWish {
  /** the lease that must be denied */
  readonly lease?: LeaseId;
  /** asks for a fresh read that proves the denial: an earlier call reported that the denial was written */
  readonly confirm: boolean;
}

interface Waiting {
  readonly wish: DenyPolicyWish;
  readonly parts: RoundParts;
  readonly done: (report: DenyPolicyReport | Promise<DenyPolicyReport>) => void;
}

/**
 * The only writer of a revocation point in this process. Wishes that arrive during a round share the next round, so
 * that the number of writes depends on the duration of a write, and not on the number of tasks that end. It holds no
 * timer when idle.
 */
export class DenyPolicyWriter {
  private waiting: Waiting[] = [];
  private isRunning = false;
  private wroteAt = -Infinity;
  private standing: DenyPolicyState | undefined;

  constructor(private readonly point: string) {}

  /** True when the writer holds no state worth keeping. */
  get isIdle(): boolean {
    return !this.isRunning && (this.standing === undefined || this.standing.since.size === 0);
  }

  /** Resolves with the report of the round that took up the wish. Rejects with `unavailable` when the database does. */
  ask(wish: DenyPolicyWish, parts: RoundParts): Promise<DenyPolicyReport> {
    const report = new Promise<DenyPolicyReport>((resolve) => {
      this.waiting.push({ wish, parts, done: resolve });
    });
    if (!this.isRunning) void this.run();
    return report;
  }

  /**
   * Runs `work` under a claim of the revocation point, so never during a round. Returns undefined while another process
   * holds the claim.
   */
  async exclusively<T>(parts: RoundParts, work: (claim: DenyPolicyClaim) => Promise<T>): Promise<T | undefined> {
    const claim = await this.claimPatiently(parts);
    if (claim === undefined) return undefined;
    try {
      return await work(claim);
    } finally {
      await parts.denyPolicies.release(claim);
    }
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    for (let last = this.waiting.at(-1); last !== undefined; last = this.waiting.at(-1)) {
      const rest = this.wroteAt + PAUSE_MILLISECONDS - performance.now();
      if (rest > 0) await pause(rest);
      const batch = this.waiting;
      this.waiting = [];
      const report = this.round(last.parts, batch);
      for (const { done } of batch) done(report);
      await report.catch(() => undefined);
    }
    this.isRunning = false;
  }

  private async round(parts: RoundParts, batch: readonly Waiting[]): Promise<DenyPolicyReport> {
    const wish = gathered(batch);
    const before = this.standing?.revision;
    const first = await this.claimAndRun(parts, wish);
    const report = first.kind === 'unclear' ? await this.lookAgain(parts, wish) : first;
    if (report.kind === 'standing') {
      if (report.standing.revision !== before) this.wroteAt = performance.now();
      this.standing = report.standing;
    } else if (mayHaveChanged(report)) this.standing = undefined;
    return report;
  }

  private async claimAndRun(parts: RoundParts, wish: RoundWish, missingAt?: number): Promise<DenyPolicyReport> {
    const claim = await this.claimPatiently(parts);
    if (claim === undefined) return { kind: 'held' };
    return new DenyPolicyRound(parts, claim, this.standing).run(wish, claim.revision === missingAt);
  }

  /**
   * Runs the round again after a pause. The document was missing, and this process does not know whether it existed: a
   * first write that was on its way has arrived by now.
   */
  private async lookAgain(parts: RoundParts, wish: RoundWish): Promise<DenyPolicyReport> {
    const claim = await this.claimPatiently(parts);
    if (claim === undefined) return { kind: 'held' };
    await parts.denyPolicies.release(claim);
    await pause(LOOK_AGAIN_MILLISECONDS);
    const report = await this.claimAndRun(parts, wish, claim.revision);
    return report.kind === 'unclear' ? { kind: 'held' } : report;
  }

  private async claimPatiently({ denyPolicies }: RoundParts): Promise<DenyPolicyClaim | undefined> {
    for (const end = performance.now() + PATIENCE_MILLISECONDS; ;) {
      const claim = await denyPolicies.claim(this.point, CLAIM_SECONDS);
      if (claim !== undefined || performance.now() > end) return claim;
      await pause(50 + Math.random() * 100);
    }
  }
}

/** A call that AWS certainly refused has left the document as this process knows it, so that no read is needed. */
function mayHaveChanged(report: DenyPolicyReport): boolean {
  if (report.kind === 'failed') return !report.failure.certain;
  return report.kind !== 'held';
}

function gathered(batch: readonly Waiting[]): RoundWish {
  const leasesOf = (wishes: readonly Waiting[]) =>
    new Set(wishes.flatMap(({ wish }) => (wish.lease === undefined ? [] : [wish.lease])));
  return {
    leases: leasesOf(batch),
    confirm: leasesOf(batch.filter(({ wish }) => wish.confirm)),
    look: batch.some(({ wish }) => wish.confirm || wish.lease === undefined),
  };
}
