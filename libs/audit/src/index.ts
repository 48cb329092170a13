export { auditEntry, MAYFLY, type Actor, type AuditEntry, type AuditEntryType, type AuditSubject } from './entry.js';
export { EntryLimits, type EntryLimitOptions } from './entry-limits.js';
