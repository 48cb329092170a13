import { withDeadline } from '../secret-reference.js';
import { type ClockReading, Problem } from '@mayfly/kernel';
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
import type { TargetClocks } from './target-clocks.js';

/** This many outages in a row pause a connection. */
const OUTAGES = 5;
const PAUSE_MS = 5_000;
const CONCURRENT_CALLS = 32;
/** The number of calls that may wait for a free call. Further calls are refused, since no answer would be in time. */
const WAITING_CALLS = 512;
/** The share of a call's time that it may wait for a free call. */
const WAITING_PART = 0.5;

/**
 * Port: throws `provider_unavailable` (reason `revocation-failing`) while leases of the connection cannot be revoked.
 */
export interface RevocationHealth {
  /** Throws while Mayfly cannot log in at the connection to revoke; does nothing otherwise. */
  requireWorking(connection: string): void;
}

interface Gate {
  readonly concurrentCalls: number;
  readonly breaker: CircuitBreakerPolicy;
  readonly bulkhead: BulkheadPolicy;
  /** the start of the pause, on the monotonic clock */
  openedAt: number;
}

/**
 * Guards mint and renewal calls, by connection. A bulkhead bounds the calls at once. A circuit breaker pauses a
 * connection that does not answer: its requests are refused at once, and no other connection waits. Revocations do not
 * pass here: they are always tried again.
 */
export class ConnectionGates {
  private readonly gates = new Map<string, Gate>();

  constructor(
    private readonly connections: ConnectionSource,
    private readonly alarm: RevocationHealth,
    private readonly clocks: Pick<TargetClocks, 'note' | 'requireAgreement'>,
  ) {}

  /**
   * Throws `provider_unavailable` while the connection is paused (reason `paused`) or its leases cannot be revoked
   * (reason `revocation-failing`), or its clock differs too much (reason `clock-difference`). Called before a lease is recorded.
   */
  requireOpen(connection: string | undefined): void {
    const gate = connection === undefined ? undefined : this.gates.get(connection);
    if (connection === undefined) return;
    this.alarm.requireWorking(connection);
    this.clocks.requireAgreement(connection);
    if (gate !== undefined && isPaused(gate)) throw paused('provider_unavailable', connection);
  }

  /**
   * Keeps the reading of a target's clock. Throws `provider_unavailable` (reason `clock-difference`) when it shows too
   * large a difference.
   */
  noteClock(connection: string, reading: ClockReading | undefined): void {
    this.clocks.note(connection, reading);
    this.clocks.requireAgreement(connection);
  }

  /**
   * Makes a call that may take `seconds` in all, the wait included. Throws `provider_rejected` (reason `paused` or
   * `busy`) when the call was not made, so that nothing was minted. Only `provider_unavailable` counts as an outage; a
   * wait never does.
   */
  async run<T>(connection: string | undefined, seconds: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (connection === undefined) return withDeadline(seconds, call);
    const { breaker, bulkhead } = this.gateOf(connection);
    const turn = AbortSignal.timeout(seconds * 1000 * WAITING_PART);
    const made = { hasBegun: false };
    // The bulkhead gets no signal: it starts no other call after one that it cancelled, until a running call ends.
    const begin = async (signal: AbortSignal): Promise<T> => {
      // The caller of such a call is told that it was not made.
      if (turn.aborted || signal.aborted) throw busy(connection);
      made.hasBegun = true;
      return breaker.execute(() => call(signal));
    };
    try {
      return await withDeadline(seconds, (signal) => bulkhead.execute(() => begin(signal)));
    } catch (error) {
      if (isBrokenCircuitError(error)) throw paused('provider_rejected', connection);
      if (!made.hasBegun) throw busy(connection);
      throw error;
    }
  }

  /** Returns 1 for every used connection that is paused, and 0 for every other used connection. */
  pausedConnections(): ReadonlyMap<string, number> {
    return new Map([...this.gates].map(([name, gate]) => [name, isPaused(gate) ? 1 : 0]));
  }

  /** Returns the names of the connections that were called. */
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

/** After the pause the breaker lets one call through. Its result ends or extends the pause. */
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
