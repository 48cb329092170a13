import { withDeadline } from '../secret-reference.js';
import { Problem } from '@mayfly/kernel';
import {
  bulkhead,
  CircuitState,
  circuitBreaker,
  ConsecutiveBreaker,
  handleWhen,
  isBrokenCircuitError,
  type BulkheadPolicy,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import type { ConnectionSource } from './target.js';

/** So many outages in a row pause a connection. */
const OUTAGES = 5;
const PAUSE_MS = 5_000;
const CONCURRENT_CALLS = 32;
/** Calls that wait for their turn; more are refused, since they would not be answered in time. */
const WAITING_CALLS = 512;
/** The part of a call's time that it may wait for its turn. */
const WAITING_PART = 0.5;

/** Port: throws `provider_unavailable` (reason `revocation-failing`) while leases of the connection cannot be ended. */
export interface RevocationHealth {
  requireWorking(connection: string): void;
}

interface Gate {
  readonly concurrentCalls: number;
  readonly breaker: CircuitBreakerPolicy;
  readonly bulkhead: BulkheadPolicy;
  /** when the pause began, on the monotonic clock */
  openedAt: number;
}

/**
 * What calls to mint and renew pass, by connection: a bound on how many are under way at once, and a breaker that pauses
 * a back end which does not answer, so that requests for it are refused at once and no other connection waits for it.
 * Revocations do not pass here: they are tried again whatever happens.
 */
export class ConnectionGates {
  private readonly gates = new Map<string, Gate>();

  constructor(
    private readonly connections: ConnectionSource,
    private readonly alarm: RevocationHealth,
  ) {}

  /**
   * Throws `provider_unavailable` while the connection is paused (reason `paused`) or its leases cannot be ended (reason
   * `revocation-failing`). Nothing is recorded then.
   */
  requireOpen(connection: string | undefined): void {
    const gate = connection === undefined ? undefined : this.gates.get(connection);
    if (connection === undefined) return;
    this.alarm.requireWorking(connection);
    if (gate !== undefined && isPaused(gate)) throw paused('provider_unavailable', connection);
  }

  /**
   * The outcome of a call that may take `seconds` in all, or `provider_rejected` (reason `paused` or `busy`) when it was not
   * made: nothing came of it. Only `provider_unavailable` counts as an outage, and no wait for a turn does.
   */
  async run<T>(connection: string | undefined, seconds: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (connection === undefined) return withDeadline(seconds, call);
    const { breaker, bulkhead } = this.gateOf(connection);
    const turn = AbortSignal.timeout(seconds * 1000 * WAITING_PART);
    const made = { hasBegun: false };
    const begin = (signal: AbortSignal): Promise<T> => {
      made.hasBegun = true;
      return breaker.execute(() => call(signal));
    };
    try {
      return await withDeadline(seconds, (signal) => bulkhead.execute(() => begin(signal), turn));
    } catch (error) {
      if (isBrokenCircuitError(error)) throw paused('provider_rejected', connection);
      if (!made.hasBegun) throw busy(connection);
      throw error;
    }
  }

  /** Of every connection that was used: 1 while it is paused, else 0. */
  pausedConnections(): ReadonlyMap<string, number> {
    return new Map([...this.gates].map(([name, gate]) => [name, isPaused(gate) ? 1 : 0]));
  }

  /** The connections that calls went to. */
  used(): readonly string[] {
    return [...this.gates.keys()];
  }

  private gateOf(connection: string): Gate {
    const concurrentCalls = this.connections.find(connection)?.spec.maxConcurrentCalls ?? CONCURRENT_CALLS;
    const known = this.gates.get(connection);
    if (known?.concurrentCalls === concurrentCalls) return known;
    const breaker = circuitBreaker(handleWhen(isOutage), {
      halfOpenAfter: PAUSE_MS,
      breaker: new ConsecutiveBreaker(OUTAGES),
    });
    const gate: Gate = { concurrentCalls, breaker, bulkhead: bulkhead(concurrentCalls, WAITING_CALLS), openedAt: 0 };
    breaker.onBreak(() => {
      gate.openedAt = performance.now();
    });
    this.gates.set(connection, gate);
    return gate;
  }
}

/** After the pause the next call is let through; whether it works decides. */
function isPaused({ breaker, openedAt }: Gate): boolean {
  return breaker.state === CircuitState.Open && performance.now() - openedAt < PAUSE_MS;
}

function isOutage(error: Error): boolean {
  return !(error instanceof Problem) || error.code === 'provider_unavailable';
}

function paused(code: 'provider_unavailable' | 'provider_rejected', connection: string): Problem {
  return new Problem(code, `connection \`${connection}\` does not answer and is paused; try again later`, {
    reason: 'paused',
    retryAfterSeconds: 5,
  });
}

function busy(connection: string): Problem {
  return new Problem('provider_rejected', `connection \`${connection}\` has too many calls waiting; try again later`, {
    reason: 'busy',
    retryAfterSeconds: 2,
  });
}
