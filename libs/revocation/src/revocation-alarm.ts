import { auditEntry, MAYFLY, type AuditEntryType, type EntryFacts, type EntrySink } from '@mayfly/audit';
import { Problem, type Clock, type JsonObject } from '@mayfly/kernel';

/** The parts that the alarm works with. */
export interface AlarmParts {
  readonly audit: EntrySink;
  readonly clock: Clock;
  /** writes the log line that triggers an operator's alarm */
  readonly tell: (text: string, facts: JsonObject) => void;
  /** called when an audit entry could not be written */
  readonly report: (error: unknown) => void;
}

/**
 * Tracks the connections at which Mayfly cannot log in to revoke. Such a connection grants no lease until a revocation
 * or a fresh login succeeds. Audits and logs the first failure and the recovery.
 */
export class RevocationAlarm {
  private readonly failing = new Map<string, string>();

  constructor(private readonly parts: AlarmParts) {}

  /** Records a failed login. `reason` names the fact and the change, and contains no secret. */
  failed(connection: string, reason: string): void {
    const isNew = !this.failing.has(connection);
    this.failing.set(connection, reason);
    if (isNew)
      this.note('connection.revocation-failing', 'Mayfly cannot log in to revoke leases at a connection', {
        connection,
        reason,
      });
  }

  /** Records that a revocation or a login worked. */
  worked(connection: string): void {
    if (!this.failing.delete(connection)) return;
    this.note('connection.revocation-restored', 'Mayfly can log in to revoke leases at a connection again', {
      connection,
    });
  }

  /**
   * Throws `provider_unavailable` (reason `revocation-failing`) while revocation fails at the connection. The detail
   * ends with the recorded reason, which names the change or says that Mayfly tries again.
   */
  requireWorking(connection: string): void {
    const reason = this.failing.get(connection);
    if (reason === undefined) return;
    throw new Problem(
      'provider_unavailable',
      `connection \`${connection}\` grants no lease while Mayfly cannot log in there to revoke: ${reason}`,
      { reason: 'revocation-failing', retryAfterSeconds: 10, nothingMinted: true },
    );
  }

  /** Returns 1 for each connection at which revocation fails. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.failing.keys()].map((name) => [name, 1]));
  }

  private note<Type extends AuditEntryType>(type: Type, text: string, facts: EntryFacts<Type> & JsonObject): void {
    this.parts.tell(text, facts);
    const entry = auditEntry(type, this.parts.clock.now(), MAYFLY, {}, facts);
    this.parts.audit.record([entry]).catch(this.parts.report);
  }
}
