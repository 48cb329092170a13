import { Problem } from '@mayfly/kernel';
import { NotConnected } from '../errors.js';
import { codeOf, OUT_OF_LOCKS, problemFrom } from '../failures.js';
import { addressKey, DatabaseTarget, type TargetAddress } from '../target.js';
import { RevocationDesk } from './revocation-desk.js';
import { Watch } from './watch.js';

const TICK_MS = 250;
const TICK_DEADLINE_MS = 10_000;
/** Interval of fresh logins, and the delay before the next one after a failed login. */
const FRESH_LOGIN_MS = 30_000;
const FAILED_LOGIN_MS = 2_000;
const TIDY_MS = 60_000;
const YIELD_MS = 1_000;
/** Maximum attempts to end lock-hoarding sessions in one tick. */
const RELIEF_ROUNDS = 20;

/**
 * Keeps one target revocable while leases live there. Opens the revocation sessions before the first mint, so that a
 * server that refuses every login still takes revocations. Repeats a fresh login, which proves that a new process could
 * log in too.
 */
export class AttendedTarget {
  readonly desk: RevocationDesk;
  readonly watch: Watch;
  private readonly login: DatabaseTarget;
  private readonly timer: NodeJS.Timeout;
  private until = 0;
  private nextLogin = 0;
  private nextTidying = performance.now() + TIDY_MS;
  private lastFailure: Problem | undefined;
  private nextYield = 0;
  private guarding: Promise<void> | undefined;
  private keeping: Promise<void> | undefined;
  private opening: Promise<void> | undefined;

  constructor(
    address: TargetAddress,
    private readonly onIdle: () => void,
  ) {
    this.login = new DatabaseTarget(address, 1);
    this.watch = new Watch(this.login);
    this.desk = new RevocationDesk(address, this.watch);
    this.timer = setInterval(() => {
      this.tick();
    }, TICK_MS).unref();
  }

  attendFor(seconds: number): void {
    this.until = Math.max(this.until, performance.now() + seconds * 1000);
  }

  /**
   * Resolves when revocation is possible now: its sessions are open, and the last fresh login worked. Throws
   * `provider_unavailable` or `provider_rejected` with the reason.
   */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.lastFailure !== undefined) throw this.lastFailure;
    if (this.watch.isOpen && this.desk.grouped.isConnected) return;
    this.opening ??= this.open(signal).finally(() => {
      this.opening = undefined;
    });
    await this.opening;
  }

  /** Replaces the watch session by a fresh login now. Throws as `ready` does. */
  async logIn(signal: AbortSignal): Promise<void> {
    try {
      await this.watch.renew(signal);
      await this.watch.refuseSharedSessions(signal);
      this.lastFailure = undefined;
      this.nextLogin = performance.now() + FRESH_LOGIN_MS;
    } catch (error) {
      // whatever failed, no session was opened that could mint
      this.lastFailure = problemFrom(error instanceof Problem ? error : new NotConnected(causeOf(error)));
      const isFull = codeOf(causeOf(error)) === OUT_OF_LOCKS;
      this.nextLogin = performance.now() + (isFull ? TICK_MS : FAILED_LOGIN_MS);
      if (isFull && this.watch.isOpen) await this.watch.relieve(signal).catch(() => undefined);
      throw this.lastFailure;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all([this.watch.close(), this.desk.close(), this.login.close()]);
  }

  private async open(signal: AbortSignal): Promise<void> {
    if (!this.watch.isOpen) await this.logIn(signal);
    try {
      await this.desk.grouped.use(signal, (session) => this.desk.grouped.facts(session));
    } catch (error) {
      throw problemFrom(error);
    }
  }

  private tick(): void {
    if (performance.now() > this.until) {
      this.onIdle();
      return;
    }
    // separate: a login can hang behind the very administrator for whom `guard` must close the open session
    this.guarding ??= this.guard().finally(() => {
      this.guarding = undefined;
    });
    this.keeping ??= this.keep().finally(() => {
      this.keeping = undefined;
    });
  }

  private async guard(): Promise<void> {
    if (!this.watch.isOpen) return;
    const signal = AbortSignal.timeout(TICK_DEADLINE_MS);
    // first: every login waits behind the administrator for whom the session must be closed
    if (performance.now() >= this.nextYield && (await this.gaveWay(signal))) return;
    await this.keepRoom(signal).catch(() => undefined);
    await this.desk.obstacles.clearCatalogs(signal).catch(() => undefined);
  }

  private async keep(): Promise<void> {
    const signal = AbortSignal.timeout(TICK_DEADLINE_MS);
    if (performance.now() >= this.nextLogin) await this.logIn(signal).catch(() => undefined);
    if (this.lastFailure === undefined) await this.ready(signal).catch(() => undefined);
    if (performance.now() >= this.nextTidying) {
      this.nextTidying = performance.now() + TIDY_MS;
      await this.desk.tidy(signal).catch(() => undefined);
    }
  }

  /**
   * Closes the watch session when an administrator waits for a shared catalog, and returns true then; a later tick
   * opens it again.
   */
  private async gaveWay(signal: AbortSignal): Promise<boolean> {
    this.nextYield = performance.now() + YIELD_MS;
    const isInTheWay = await this.watch.isInTheWay(signal).catch(() => false);
    if (isInTheWay) await this.watch.close();
    return isInTheWay;
  }

  private async keepRoom(signal: AbortSignal): Promise<void> {
    for (let round = 0; round < RELIEF_ROUNDS && !(await this.watch.hasRoom(signal)); round++) {
      await this.watch.relieve(signal);
    }
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof NotConnected ? error.cause : error;
}

/** The targets where leases live. Closes each one when its last lease should have ended. */
export class Attendance {
  private readonly byAddress = new Map<string, AttendedTarget>();

  at(address: TargetAddress): AttendedTarget {
    const key = addressKey(address);
    const known = this.byAddress.get(key);
    if (known !== undefined) return known;
    const attended = new AttendedTarget(address, () => {
      this.byAddress.delete(key);
      void attended.close().catch(() => undefined);
    });
    this.byAddress.set(key, attended);
    return attended;
  }

  async close(): Promise<void> {
    const all = [...this.byAddress.values()];
    this.byAddress.clear();
    await Promise.all(all.map((attended) => attended.close()));
  }
}
