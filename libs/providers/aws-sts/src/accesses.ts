import { setTimeout as pause } from 'node:timers/promises';
import { digestOf, Problem } from '@mayfly/kernel';
import { AwsAccess, type AccessParts } from './aws-access.js';
import type { AwsConfig } from './config.schema.js';
import { classify, type AwsFailure } from './failures.js';

const MAX_ACCESSES = 64;
const FIRST_PAUSE_MILLISECONDS = 200;
const LONGEST_PAUSE_MILLISECONDS = 2_000;

/** The outcome of a call: an answer, or a classified failure. */
export type AwsAnswer<T> = { readonly value: T } | { readonly failure: AwsFailure };

/** The limits within which a call may begin, or begin again. */
export interface CallBounds {
  readonly signal: AbortSignal;
  readonly until: Date;
}

/** The clients of all connections in use. All calls go through `call`. */
export class Accesses {
  private readonly byDigest = new Map<string, AwsAccess>();

  constructor(private readonly parts: AccessParts) {}

  at(config: AwsConfig): AwsAccess {
    const key = digestOf(config);
    const access = this.byDigest.get(key) ?? new AwsAccess(config, this.parts);
    this.byDigest.delete(key);
    this.byDigest.set(key, access);
    for (const [oldest, idle] of this.byDigest) {
      if (this.byDigest.size <= MAX_ACCESSES) break;
      this.byDigest.delete(oldest);
      idle.close();
    }
    return access;
  }

  /**
   * Calls AWS. Repeats the call after an answer that proves that nothing was done: after a pause when AWS throttles, at
   * once and with a new login when the old one had expired. Throws `Problem` when the deadline passed before the first
   * call.
   */
  async call<T>(
    config: AwsConfig,
    { signal, until }: CallBounds,
    send: (access: AwsAccess, options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<AwsAnswer<T>> {
    let isFresh = false;
    for (let attempt = 0; ; attempt += 1) {
      if (attempt === 0) this.refuseLate(signal, until);
      const access = this.at(config);
      const answer = await answerOf(() => send(access, { abortSignal: signal }));
      if (!('failure' in answer)) return answer;
      const { reason } = answer.failure;
      if (reason === 'expired-credentials' && !isFresh) {
        isFresh = true;
        this.forget(config);
      } else if (reason !== 'throttled' || !(await this.paused(attempt, { signal, until }))) return answer;
      if (signal.aborted || this.parts.clock.now() >= until) return answer;
    }
  }

  close(): void {
    for (const access of this.byDigest.values()) access.close();
    this.byDigest.clear();
  }

  private refuseLate(signal: AbortSignal, until: Date): void {
    if (signal.aborted)
      throw new Problem('provider_unavailable', 'the deadline passed before the call to AWS began; try again');
    if (this.parts.clock.now() < until) return;
    throw new Problem(
      'provider_rejected',
      'the deadline passed before the call began, and nothing was minted; try again',
    );
  }

  /** Drops the clients, so that the next use of the connection finds its login anew. Calls in progress continue. */
  private forget(config: AwsConfig): void {
    this.byDigest.delete(digestOf(config));
  }

  /**
   * Waits a random time, so that calls that are refused together are not repeated together. Returns false when the
   * deadline comes first.
   */
  private async paused(attempt: number, { signal, until }: CallBounds): Promise<boolean> {
    const longest = Math.min(LONGEST_PAUSE_MILLISECONDS, FIRST_PAUSE_MILLISECONDS * 2 ** attempt);
    const wait = longest * (0.5 + Math.random() / 2);
    if (this.parts.clock.now().getTime() + wait >= until.getTime()) return false;
    return pause(wait, true, { signal }).catch(() => false);
  }
}

async function answerOf<T>(call: () => Promise<T>): Promise<AwsAnswer<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    // our own problems come from the login, before anything was sent
    if (error instanceof Problem) throw error;
    return { failure: classify(error) };
  }
}
