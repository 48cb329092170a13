import { auditEntry, MAYFLY, type AuditEntryType, type EntryFacts, type EntrySink } from '@mayfly/audit';
import { Problem, type Clock, type JsonObject } from '@mayfly/kernel';

export interface AlarmParts {
  readonly audit: EntrySink;
  readonly clock: Clock;
  /** writes the line that an operator's alarm is for */
  readonly tell: (text: string, facts: JsonObject) => void;
  /** told when an entry could not be written */
  readonly report: (error: unknown) => void;
}

/**
 * Knows the connections at which leases cannot be ended, because Mayfly cannot log in there. Nothing is granted at such a
 * connection until a revocation or a fresh login works. The first failure and the recovery are audited and logged.
 */
export class RevocationAlarm {
  private readonly failing = new Map<string, string>();

  constructor(private readonly parts: AlarmParts) {}

  /** `reason` is in words that quote no secret. */
  failed(connection: string, reason: string): void {
    const isNew = !this.failing.has(connection);
    this.failing.set(connection, reason);
    if (isNew)
      this.note('connection.revocation-failing', 'leases cannot be ended at a connection', { connection, reason });
  }

  worked(connection: string): void {
    if (!this.failing.delete(connection)) return;
    this.note('connection.revocation-restored', 'leases can be ended again at a connection', { connection });
  }

  /** Throws `provider_unavailable` (reason `revocation-failing`) while leases cannot be ended there. */
  requireWorking(connection: string): void {
    const reason = this.failing.get(connection);
    if (reason === undefined) return;
    throw new Problem(
      'provider_unavailable',
      `connection \`${connection}\` grants nothing while its leases cannot be ended: ${reason}`,
      { reason: 'revocation-failing', retryAfterSeconds: 10, nothingMinted: true },
    );
  }

  /** 1 for each connection at which leases cannot be ended. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.failing.keys()].map((name) => [name, 1]));
  }

  private note<Type extends AuditEntryType>(type: Type, text: string, facts: EntryFacts<Type> & JsonObject): void {
    this.parts.tell(text, facts);
    const entry = auditEntry(type, this.parts.clock.now(), MAYFLY, {}, facts);
    this.parts.audit.record([entry]).catch(this.parts.report);
  }
}
