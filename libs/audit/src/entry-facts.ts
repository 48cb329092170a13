import { CONTROL_NAMES, type JsonObject } from '@mayfly/kernel';
import { z } from 'zod';

/** An instant as RFC 3339 text in UTC, with milliseconds. */
const Instant = z.iso.datetime();
/** A JSON object of any form: parameters, evidence, a target's answer. */
const AnyObject = z.record(z.string(), z.json()) as unknown as z.ZodType<JsonObject, JsonObject>;
const Identity = z.strictObject({ issuer: z.string(), subject: z.string() });
const Verdict = z.strictObject({
  control: z.enum(CONTROL_NAMES),
  outcome: z.enum(['permit', 'deny', 'not_evaluated']),
  detail: z.string().optional(),
  help: z.string().optional(),
  evidence: AnyObject.optional(),
});
/**
 * The changes of a document: at most 50 JSON Pointers (RFC 6901) and the number of changed members. Holds no values.
 */
const Places = { changed: z.array(z.string()).optional(), changedPlaces: z.int().optional() };
const Tested = { name: z.string(), ok: z.boolean(), wrong: z.array(z.string()) };

/** Counted denials of one group: their exact number, and the first and the last instant. */
const counted = <Shape extends z.core.$ZodLooseShape>(group: Shape) =>
  z.strictObject({ ...group, count: z.int().positive(), from: Instant, to: Instant });

const IdentityRefused = z.strictObject({
  route: z.string(),
  requestId: z.string(),
  reason: z.string(),
  issuer: z.string().optional(),
  subject: z.string().optional(),
  kid: z.string().optional(),
  alg: z.string().optional(),
  typ: z.string().optional(),
  /** the claim or header member with the wrong form */
  member: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string()).readonly()]).optional(),
});

/** The record of the decision behind an entry: its id, and the SHA-256 (base64url) of its stored form. */
const Decided = z.strictObject({ id: z.string(), digest: z.string() }).optional();

const TaskDenied = z.strictObject({
  decision: Decided,
  /** the control that denied, or the code of the problem when no control denied */
  control: z.string(),
  detail: z.string(),
  template: z.string(),
  purpose: z.string(),
  identity: Identity,
  controls: z.array(Verdict),
  requestId: z.string().optional(),
});

const OperationDenied = z.strictObject({
  control: z.string(),
  detail: z.string().optional(),
  decision: z.string(),
  operation: z.string(),
  target: z.string(),
  /** why the token could not be used; the enforcement point does not get it */
  token: z.string().optional(),
  requestId: z.string(),
  identity: Identity,
});
/** A change of a document that needs a second person: its id, the document, and the person who asked for it. */
const OfChange = { change: z.string(), kind: z.string(), name: z.string(), operation: z.string(), author: z.string() };

const LockdownScope = z.strictObject({ kind: z.string(), name: z.string() });

/** A position in the audit log: the lineage of the database, and the number and the hash of an entry. */
const Epoch = z.strictObject({ lineage: z.string().nullable(), sequence: z.int(), leaf: z.string() });

const GrantedLease = z.strictObject({
  id: z.string(),
  name: z.string(),
  provider: z.string(),
  connection: z.string().nullable(),
  scopeDigest: z.string(),
  /** present when the credential was issued in the commit of the grant: the lease then has no `lease.issued` entry */
  issued: z.strictObject({ providerExpiresAt: Instant, facts: AnyObject.optional() }).optional(),
});

/**
 * The facts of each type of entry. INVARIANT: the form of a written entry never changes. A change of a schema here
 * raises the version of its type in `FACT_VERSIONS` and keeps the readers of the older form. I10: no fact holds a
 * secret.
 */
export const ENTRY_FACTS = {
  'identity.refused': z.union([IdentityRefused, counted({ reason: z.string(), issuer: z.string().optional() })]),
  'request.forbidden': z.union([
    z.strictObject({ route: z.string(), requestId: z.string(), control: z.string(), identity: Identity }),
    counted({ control: z.string(), issuer: z.string().optional(), subject: z.string().optional() }),
  ]),
  'task.granted': z.strictObject({
    identity: Identity.extend({ expiresAt: Instant.optional() }),
    /** the digest of the declared facts that the decision read: labels and state of the agent, and the connections */
    declared: z.string().optional(),
    template: z.strictObject({ name: z.string(), version: z.int(), digest: z.string() }),
    parameters: AnyObject,
    purpose: z.string(),
    lifetime: z.strictObject({
      requestedSeconds: z.number().nullable(),
      grantedSeconds: z.number(),
      limitedBy: z.string(),
    }),
    expiresAt: Instant,
    controls: z.array(Verdict),
    leases: z.array(GrantedLease),
  }),
  'task.delegated': z.strictObject({
    child: z.string(),
    agent: z.string(),
    template: z.string(),
    parameters: AnyObject,
    purpose: z.string(),
    acceptBy: Instant,
    uses: z.union([z.int(), z.record(z.string(), z.int())]).optional(),
    decision: Decided,
  }),
  'task.accepted': z.strictObject({
    parentId: z.string(),
    rootId: z.string(),
    depth: z.int(),
    /** the deadlines of the parent, as the decision read them */
    parent: z.strictObject({ expiresAt: Instant, maxExpiresAt: Instant }).optional(),
  }),
  'task.denied': z.union([TaskDenied, counted({ control: z.string() })]),
  /** an operation that an enforcement point asked about */
  'operation.denied': z.union([OperationDenied, counted({ control: z.string() })]),
  /** a batch of decisions on operations; `digest` is SHA-256 over their stored bodies, each with a line feed after it */
  'operations.decided': z.strictObject({
    decisions: z.array(z.string()),
    permitted: z.int(),
    denied: z.record(z.string(), z.int()),
    digest: z.string(),
  }),
  'task.ending': z.strictObject({ cause: z.string(), reason: z.string().optional() }),
  'task.ended': z.strictObject({ state: z.string(), cause: z.string() }),
  'task.renewed': z.strictObject({ expiresAt: Instant, identity: Identity, decision: Decided }),
  'lease.issued': z.strictObject({
    name: z.string(),
    provider: z.string(),
    expiresAt: Instant,
    providerExpiresAt: Instant.nullable(),
    facts: AnyObject.optional(),
  }),
  'lease.failed': z.strictObject({ provider: z.string(), cause: z.string(), effectiveAt: Instant }),
  'lease.revoking': z.strictObject({ name: z.string(), provider: z.string(), cause: z.string() }),
  'lease.revoked': z.strictObject({
    provider: z.string(),
    cause: z.string(),
    effectiveAt: Instant,
    remains: z.string().optional(),
  }),
  'lease.expired': z.strictObject({
    provider: z.string(),
    cause: z.string(),
    effectiveAt: Instant,
    remains: z.string().optional(),
  }),
  'lease.abandoned': z.strictObject({
    provider: z.string(),
    cause: z.string(),
    reason: z.string(),
    /** the credential may work until here */
    expiresAt: Instant,
    lastError: z.string().optional(),
  }),
  /** a death probe: the target refused the credential */
  'lease.confirmed-dead': z.strictObject({ provider: z.string(), confirmedDeadAt: Instant, attempts: z.int() }),
  /** a death probe, the first time: the target accepted the credential after the proof of its end */
  'lease.still-accepted': z.strictObject({ provider: z.string(), at: Instant }),
  /** the death probes of a lease stopped without an answer that proves anything */
  'lease.not-confirmed': z.strictObject({ provider: z.string(), attempts: z.int(), lastError: z.string() }),
  'lease.cut-off': z.strictObject({ target: z.string(), cutOffAt: Instant, cutOffUntil: Instant }),
  'lockdown.engaged': z.strictObject({ lockdown: z.string(), scope: LockdownScope, reason: z.string() }),
  'lockdown.release-requested': z.strictObject({ lockdown: z.string(), scope: LockdownScope, reason: z.string() }),
  'lockdown.released': z.strictObject({ lockdown: z.string(), scope: LockdownScope, reason: z.string() }),
  'lockdown.refused': z.strictObject({
    control: z.string(),
    detail: z.string(),
    scope: LockdownScope,
    lockdown: z.string().optional(),
  }),
  'target.cut-off': z.strictObject({
    target: z.string(),
    cutOffAt: Instant,
    cutOffUntil: Instant,
    innocent: z.int(),
  }),
  'target.orphaned': z.strictObject({
    connection: z.string(),
    seenThrough: z.string(),
    total: z.int(),
    names: z.array(z.string()),
  }),
  /** Mayfly is about to end an object that it made and that no lease explains */
  'orphan.ending': z.strictObject({ connection: z.string(), object: z.string(), cause: z.string() }),
  'orphan.ended': z.strictObject({
    connection: z.string(),
    object: z.string(),
    cause: z.string(),
    effectiveAt: Instant,
    remains: z.string().optional(),
  }),
  'reconciliation.requested': z.strictObject({ reconciliation: z.string(), connection: z.string() }),
  'reconciliation.finished': z.strictObject({
    reconciliation: z.string(),
    connection: z.string(),
    state: z.enum(['done', 'failed']),
    ended: z.int(),
    /** the denials that were missing and were written again */
    repaired: z.int().optional(),
    notEnded: z.int(),
    reported: z.int(),
    error: z.string().optional(),
  }),
  'quarantine.entered': z.strictObject({ cause: z.string(), expected: Epoch.optional(), found: Epoch }),
  'quarantine.confirmed': z.strictObject({ lineage: z.string(), reason: z.string(), replaced: Epoch.optional() }),
  'target.repaired': z.strictObject({ target: z.string() }),
  /** the deny policy denied sessions that no ended lease explains; Mayfly keeps these denials */
  'target.denials-kept': z.strictObject({
    target: z.string(),
    total: z.int(),
    names: z.array(z.string()),
    until: Instant,
  }),
  'declaration.changed': z.strictObject({
    kind: z.string(),
    name: z.string(),
    change: z.enum(['create', 'update', 'delete']),
    ...Places,
  }),
  'change.requested': z.strictObject({
    ...OfChange,
    /** the revision that the change was written against; null for a new document */
    baseRevision: z.int().nullable(),
    lapsesAt: Instant,
    ...Places,
  }),
  'change.approved': z.strictObject({ ...OfChange, reason: z.string().optional() }),
  'change.refused': z.strictObject({ ...OfChange, reason: z.string() }),
  /** the document moved on, was deleted, or the author sent another change (`by`) or took this one back */
  'change.superseded': z.strictObject({ ...OfChange, by: z.string().optional() }),
  'change.lapsed': z.strictObject(OfChange),
  'connection.disabled': z.strictObject({ name: z.string() }),
  'connection.enabled': z.strictObject({ name: z.string() }),
  'connection.tested': z.strictObject(Tested),
  'connection.revocation-failing': z.strictObject({ connection: z.string(), reason: z.string() }),
  'connection.revocation-restored': z.strictObject({ connection: z.string() }),
  'issuer.tested': z.strictObject({ ...Tested, withToken: z.boolean() }),
  'agent.activated': z.strictObject({ from: z.string().optional(), to: z.string() }),
  'agent.suspended': z.strictObject({ from: z.string().optional(), to: z.string() }),
  'agent.retired': z.strictObject({ from: z.string().optional(), to: z.string() }),
  'template.drafted': z.strictObject({ name: z.string(), change: z.enum(['create', 'update']), ...Places }),
  'template.published': z.strictObject({
    name: z.string(),
    version: z.int(),
    /** present when a draft was published: its first author, and everybody who changed it */
    author: z.string().optional(),
    editors: z.array(z.string()).optional(),
    /** present when a file was applied: the kind and the change of its document */
    kind: z.string().optional(),
    change: z.enum(['create', 'update']).optional(),
    ...Places,
  }),
  'template.refused': z.strictObject({
    name: z.string(),
    detail: z.string(),
    errors: z.array(z.looseObject({ pointer: z.string(), detail: z.string() })),
  }),
  'template.retired': z.strictObject({ name: z.string() }),
  'signing-key.added': z.strictObject({
    purpose: z.string(),
    kid: z.string(),
    algorithm: z.string(),
    activeFrom: Instant,
  }),
} as const satisfies Record<string, z.ZodType>;

/** The type of an entry: one transition, one denial, or a number of counted denials. */
export type AuditEntryType = keyof typeof ENTRY_FACTS;

/** The facts of one type of entry. */
export type EntryFacts<Type extends AuditEntryType> = z.input<(typeof ENTRY_FACTS)[Type]>;

/**
 * The version of each type's facts, written as `factsVersion` into the body. A type that is not listed has version 1.
 */
export const FACT_VERSIONS: Partial<Record<AuditEntryType, number>> = {
  // 2: a lease can have `issued`, where version 1 had one `lease.issued` entry for each lease of every grant.
  // 3: `declared` and the expiry of the identity, so that the decision can be replayed.
  'task.granted': 3,
  // 2: the record of the decision.
  'task.denied': 2,
  'task.delegated': 2,
  'task.renewed': 2,
  // 2: the deadlines of the parent.
  'task.accepted': 2,
};
