import { attending, type ConnectionSource, type Targets, withDeadline } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import type { RevocationAlarm } from './revocation-alarm.js';

/** Which connections have leases that have not ended. */
export interface LivingConnections {
  /** All of them, or those among `names`. */
  living(names?: readonly string[]): Promise<readonly string[]>;
}

const ATTEND_DEADLINE_SECONDS = 15;

export interface AttendanceParts {
  readonly store: LivingConnections;
  readonly connections: ConnectionSource;
  readonly targets: Targets;
  /** the connections that this process has minted at */
  readonly used: () => readonly string[];
  readonly alarm: Pick<RevocationAlarm, 'failed' | 'worked'>;
  readonly report: (error: unknown) => void;
}

/**
 * Has providers attend to the connections with living leases (`Attending`), so that their sessions for revocation are open
 * and a login that stopped working is known before somebody needs it.
 */
export class ConnectionAttendance {
  /** undefined until the first round, which asks for all of them */
  private known: readonly string[] | undefined;

  constructor(private readonly parts: AttendanceParts) {}

  /** One round over the connections with living leases. One that fails holds up no other. */
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
    } catch (error) {
      this.parts.alarm.failed(
        name,
        error instanceof Problem ? error.detail : 'the provider failed in an unexpected way',
      );
      if (!(error instanceof Problem)) throw error;
    }
  }
}
