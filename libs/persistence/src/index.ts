export {
  AuditReader,
  type AuditFilter,
  type SealedEntry,
  type StoryEntry,
  type StoryPosition,
  type InstantPosition,
  type RefusalFilter,
} from './audit.reader.js';
export { AgentLifecycleStore, type LifecycleStep } from './agent-lifecycle.store.js';
export { AuditSealer } from './audit-sealer.js';
export { CatalogListener } from './catalog.listener.js';
export { PgCatalogSource } from './catalog.source.js';
export { PgClosingStore } from './closing.store.js';
export { DatabaseClock } from './database-clock.js';
export { databaseProblem } from './database-problem.js';
export { Database, type DatabaseOptions } from './database.js';
export type { DeclaredRecord, DeclaredState, Precondition, RecordKind } from './declaration-rows.js';
export type { RemovableKind } from './declaration-uses.js';
export type { Declarer } from './declaration-writes.js';
export { PgDenialStore } from './denial.store.js';
export { ConnectionLifecycleStore, type ConnectionState } from './connection-lifecycle.store.js';
export { PgDeclarationStore, type AppliedDeclarations } from './declaration.store.js';
export { HistoryReader, type Issuance, type IssuanceFilter, type IssuancePosition } from './history.reader.js';
export type { Page, PageRequest } from './history-page.js';
export { IdempotencyStore, type UsedKey } from './idempotency.store.js';
export { IdentityUseStore } from './identity-use.store.js';
export { PgIssuanceStore } from './issuance.store.js';
export { LeaseHandlesReader } from './lease-handles.reader.js';
export { LivingConnectionsReader } from './living-connections.reader.js';
export { LeaseReader } from './lease.reader.js';
export { LeaseStatistics } from './lease-statistics.js';
export { Outbox, type OutboxJob } from './outbox.js';
export { asOwner, grantRuntimeRole } from './runtime-role.js';
export { PgSigningKeyStore } from './signing-key.store.js';
export { PgTaskStore } from './task.store.js';
export type { EditedDraft, PublishedVersion, TemplateRecord } from './template-rows.js';
export { PgTemplateStore } from './template.store.js';
export { WriteProbe } from './write-probe.js';
