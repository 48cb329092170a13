import type { components, operations } from './schema.js';

type Schemas = components['schemas'];
type BodyOf<Id extends keyof operations> = operations[Id] extends {
  requestBody: { content: { 'application/json': infer Body } };
}
  ? Body
  : never;

export type CreateTask = Schemas['CreateTask'];
export type Task = Schemas['Task'];
/** One credential of a task, with its `secret` in the answer that grants or renews. */
export type Credential = Task['credentials'][number];
export type Issuance = Schemas['Issuance'];
export type IssuancePage = Schemas['Issuances'];
/** The filters of `GET /issuances`. */
export type IssuanceFilter = Omit<
  NonNullable<operations['History.issuances']['parameters']['query']>,
  'limit' | 'cursor'
>;
/** A lease that should be dead and is not proven dead. */
export type Delegation = Schemas['Delegation'];
export type TaskTree = Schemas['TaskTree'];
export type Lockdown = Schemas['Lockdown'];
export type LockdownPage = Schemas['Lockdowns'];
export type LockdownReach = Schemas['LockdownReach'];
/** A change of a document that a second person decides on. */
export type Change = Schemas['Change'];
export type ChangeDetail = Schemas['ChangeDetail'];
export type ChangePage = Schemas['Changes'];
export type ChangeRequested = Schemas['ChangeRequested'];
export type OverdueLease = Schemas['OverdueLease'];
export type OverduePage = Schemas['OverdueLeases'];
/** The query of `GET /leases`. */
export type OverdueFilter = NonNullable<operations['Leases.list']['parameters']['query']>;
/** A comparison of a connection with the leases. */
export type QuarantineState = Schemas['Quarantine'];
export type Reconciliation = Schemas['Reconciliation'];
/** The request body that declares an issuer, connection, agent or task template. */
export type DeclarationDocument = BodyOf<
  'Issuers.create' | 'Connections.create' | 'Agents.create' | 'Templates.create'
>;
export type DeclarationCheck = Schemas['DeclarationCheck'];
/** One finding of the linter or of a target about a template. */
export type Finding = Schemas['TemplateFinding'];
export type IssuerTest = Schemas['IssuerTest'];
export type ConnectionTest = Schemas['ConnectionTest'];
