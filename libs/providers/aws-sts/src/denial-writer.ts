import { setTimeout as pause } from 'node:timers/promises';
import type { DenialClaim } from '@mayfly/credentials';
import type { LeaseId } from '@mayfly/kernel';
import {
  CLAIM_SECONDS,
  DenialRound,
  type RoundParts,
  type RoundReport,
  type RoundWish,
  type DocumentState,
} from './denial-round.js';

/** Between two writes of one role: IAM's rate is the account's, not ours. */
const PAUSE_MILLISECONDS = 500;
/** How long to wait for another process to give the revocation point back. */
const PATIENCE_MILLISECONDS = 2_000;
const LOOK_AGAIN_MILLISECONDS = 1_000;

export type DenialReport = RoundReport | { readonly kind: 'held' };

/** What one caller wants of the document of a revocation point. */
export interface DenialWish {
  /** whose denial has to stand */
  readonly lease?: LeaseId;
  /** whether an earlier call said that it stands */
  readonly confirm: boolean;
}

interface Waiting {
  readonly wish: DenialWish;
  readonly parts: RoundParts;
  readonly done: (report: DenialReport | Promise<DenialReport>) => void;
}

/**
 * The one writer of a revocation point in this process. What arrives while a round is under way is gathered into the next one, so that the
 * number of writes follows the time that a write takes, and not the number of tasks that end. Idle, it holds no timer.
 */
export class DenialWriter {
  private waiting: Waiting[] = [];
  private isRunning = false;
  private wroteAt = -Infinity;
  private standing: DocumentState | undefined;

  constructor(private readonly point: string) {}

  /** Whether it holds nothing worth keeping. */
  get isIdle(): boolean {
    return !this.isRunning && (this.standing === undefined || this.standing.since.size === 0);
  }

  /** Resolves with what the round came to that took the wish up. Rejects with `unavailable` when the database does. */
  ask(wish: DenialWish, parts: RoundParts): Promise<DenialReport> {
    const report = new Promise<DenialReport>((resolve) => {
      this.waiting.push({ wish, parts, done: resolve });
    });
    if (!this.isRunning) void this.run();
    return report;
  }

  /** Runs `work` under a claim of the revocation point, in turn with the rounds; undefined while another process holds it. */
  async exclusively<T>(parts: RoundParts, work: (claim: DenialClaim) => Promise<T>): Promise<T | undefined> {
    const claim = await this.claimPatiently(parts);
    if (claim === undefined) return undefined;
    try {
      return await work(claim);
    } finally {
      await parts.denials.release(claim);
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

  private async round(parts: RoundParts, batch: readonly Waiting[]): Promise<DenialReport> {
    const wish = gathered(batch);
    const before = this.standing?.revision;
    const first = await this.claimAndRun(parts, wish);
    const report = first.kind === 'unclear' ? await this.lookAgain(parts, wish) : first;
    if (report.kind === 'standing') {
      if (report.standing.revision !== before) this.wroteAt = performance.now();
      this.standing = report.standing;
    } else if (report.kind !== 'held') this.standing = undefined;
    return report;
  }

  private async claimAndRun(parts: RoundParts, wish: RoundWish, missingAt?: number): Promise<DenialReport> {
    const claim = await this.claimPatiently(parts);
    if (claim === undefined) return { kind: 'held' };
    return new DenialRound(parts, claim, this.standing).run(wish, claim.revision === missingAt);
  }

  /** Nothing stood, and nobody in this process knows whether it had: a first write that was just on its way is done by now. */
  private async lookAgain(parts: RoundParts, wish: RoundWish): Promise<DenialReport> {
    const claim = await this.claimPatiently(parts);
    if (claim === undefined) return { kind: 'held' };
    await parts.denials.release(claim);
    await pause(LOOK_AGAIN_MILLISECONDS);
    const report = await this.claimAndRun(parts, wish, claim.revision);
    return report.kind === 'unclear' ? { kind: 'held' } : report;
  }

  private async claimPatiently({ denials }: RoundParts): Promise<DenialClaim | undefined> {
    for (const end = performance.now() + PATIENCE_MILLISECONDS; ;) {
      const claim = await denials.claim(this.point, CLAIM_SECONDS);
      if (claim !== undefined || performance.now() > end) return claim;
      await pause(50 + Math.random() * 100);
    }
  }
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
