import { auditEntry, type Actor, type AuditEntry, type AuditEntryType, type AuditSubject } from '@mayfly/audit';

/**
 * Makes an audit entry for tests that ignore its facts: it has only the given facts and may lack others of its type.
 */
export function bareEntry(
  type: AuditEntryType,
  at: Date,
  actor: Actor,
  subject: AuditSubject = {},
  facts: object = {},
): AuditEntry {
  return auditEntry(type, at, actor, subject, facts as never);
}
