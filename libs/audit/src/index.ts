export { actorOf } from './actor.js';
export {
  type AuditFilter,
  type AuditHistory,
  type InstantPosition,
  ONLY_LOG,
  type RefusalFilter,
  type SealedEntry,
  type StoryEntry,
  type StoryPosition,
} from './audit-history.js';
export { DENIAL_LIMITS, DenialLog, type Denial, type EntrySink, type SummaryListener } from './denial-log.js';
export { auditEntry, MAYFLY, type Actor, type AuditEntry, type AuditSubject, type KeptDecision } from './entry.js';
export { ENTRY_FACTS, type AuditEntryType, type EntryFacts } from './entry-facts.js';
