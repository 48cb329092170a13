import {
  attending,
  clockAt,
  type ConnectionSource,
  type TargetClocks,
  type Targets,
  withDeadline,
} from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import type { RevocationAlarm } from './revocation-alarm.js';

/** Port: the connections that have leases that have not ended. */
export interface LivingConnections {
  /** Returns all such connections, or those among `names`. */
  living(names?: readonly string[]): Promise<readonly string[]>;
}

const ATTEND_DEADLINE_SECONDS = 15;

/** The parts that the attendance works with. */
export interface AttendanceParts {
  readonly store: LivingConnections;
  readonly connections: ConnectionSource;
  readonly targets: Targets;
  /** the connections at which this process has minted */
  readonly used: () => readonly string[];
  readonly alarm: Pick<RevocationAlarm, 'failed' | 'worked'>;
  readonly clocks: Pick<TargetClocks, 'note'>;
  /** logs an error that must not stop the round */
  readonly report: (error: unknown) => void;
}

/**
 * Calls `Attending` providers for each connection with living leases. They keep sessions for revocation open and find a
 * login that stopped working before a revocation needs it.
 */
export class ConnectionAttendance {
  /** undefined before the first round, which reads all connections from the store */
  private known: readonly string[] | undefined;

  constructor(private readonly parts: AttendanceParts) {}

  /**
   * Attends to each connection with living leases once, in parallel. A failure at one connection does not affect the
   * others.
   */
  async round(): Promise<void> {
    const names = this.known === undefined ? undefined : [...new Set([...this.known, ...this.parts.used()])];
    const living = await this.parts.store.living(names);
    this.known = living;
    await Promise.all(living.map((name) => this.attend(name).catch(this.parts.report)));
  }

  private async attend(name: string): Promise<void> {
    const spec = this.parts.connections.find(name)?.spec;
    if (spec === undefined) return;
    try {
      const { provider, config } = await this.parts.targets.restore(spec.provider, spec.config);
      const attendant = attending(provider);
      if (attendant === undefined) return;
      await withDeadline(ATTEND_DEADLINE_SECONDS, (signal) => attendant.attend(config, signal));
      this.parts.alarm.worked(name);
      this.parts.clocks.note(name, clockAt(provider, config));
    } catch (error) {
      this.parts.alarm.failed(
        name,
        error instanceof Problem
          ? error.detail
          : 'the provider failed with an unknown error; look for it in the log of Mayfly',
      );
      if (!(error instanceof Problem)) throw error;
    }
  }
}
