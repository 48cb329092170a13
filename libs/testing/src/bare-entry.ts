import { auditEntry, type Actor, type AuditEntry, type AuditEntryType, type AuditSubject } from '@mayfly/audit';

/** An audit entry for tests that are not about its facts: it has those that are given, and may lack the others of its kind. */
export function bareEntry(
  type: AuditEntryType,
  at: Date,
  actor: Actor,
  subject: AuditSubject = {},
  facts: object = {},
): AuditEntry {
  return auditEntry(type, at, actor, subject, facts as never);
}
