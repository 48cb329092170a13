export { DENIAL_LIMITS, DenialLog, type Denial, type EntrySink, type SummaryListener } from './denial-log.js';
export { auditEntry, MAYFLY, type Actor, type AuditEntry, type AuditEntryType, type AuditSubject } from './entry.js';
