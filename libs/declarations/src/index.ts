export {
  AgentLifecycle,
  type AgentLifecycleStore,
  type AgentMove,
  type LifecycleStep,
  type LockedAgent,
} from './agents/agent-lifecycle.js';
export { Catalog, type CatalogRows, type CatalogSource, type RegisteredAgent } from './catalog.js';
export type { ChangeFilter, ChangeReader, LockedChanges, LockedSteps, RecordMove } from './changes/change.store.js';
export { changeView } from './changes/change.view.js';
export { ChangeRequests } from './changes/change-requests.js';
export { Changes } from './changes/changes.js';
export {
  CHANGE_OPERATIONS,
  CHANGE_STATES,
  REQUESTED_KINDS,
  isRequested,
  stateAt,
  type ChangeClosing,
  type ChangeState,
  type DocumentChange,
  type RequestedChange,
} from './changes/document-change.js';
export { checkDeclarations, type CheckedDeclarations, type DeclarationContext } from './check-declarations.js';
export { checkRun, type CheckedDocument } from './check-run.js';
export {
  ConnectionLifecycle,
  type ConnectionLifecycleStore,
  type ConnectionMove,
  type LockedConnection,
} from './connections/connection-lifecycle.js';
export { suggestKey } from './did-you-mean.js';
export { diffDeclarations, type DeclarationChange } from './diff-declarations.js';
export {
  DECLARATION_KINDS,
  DocumentSchema,
  ofKind,
  type Declaration,
  type DeclarationKind,
  type DeclarationOf,
} from './document.schema.js';
export { lintFactsOf } from './lint-facts.js';
export { parseDeclarations, parseDocument } from './parse-declarations.js';
export {
  existing,
  type ConnectionState,
  type DeclaredRecord,
  type DeclaredState,
  type Declarer,
  type RecordKind,
} from './records/declared-record.js';
export { declarerOf } from './records/declarer.js';
export { requireMet, type Precondition } from './records/precondition.js';
export { DeclarationChecks, type PredictedRun } from './declaration-checks.js';
export type {
  DeclarationStore,
  LiveLeases,
  LockedState,
  RecordReader,
  RecordWrite,
  TemplateReader,
  VersionWrite,
} from './declaration.store.js';
export { IssuerTests } from './issuers/issuer-tests.js';
export type { RemovableKind } from './records/declaration-uses.js';
export { Declarations } from './records/declarations.js';
export { DocumentWriter, type AppliedDeclarations } from './records/document-writer.js';
export { parsePolicyCases } from './policies/parse-policy-cases.js';
export { PolicyTests, type TestedCase } from './policies/policy-tests.js';
export { permittedTemplates } from './templates/permitted-templates.js';
export { TargetExamination } from './templates/target-examination.js';
export type {
  EditedDraft,
  NewVersion,
  PublishedVersion,
  TemplateContent,
  TemplateRecord,
} from './templates/template-record.js';
export { Templates, type StandingTemplate } from './templates/templates.js';
