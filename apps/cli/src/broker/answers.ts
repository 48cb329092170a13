import { z } from 'zod';

const Instant = z.iso.datetime();

/** Members that a later broker adds are let through: commands show what they know. */
export const CredentialSchema = z.looseObject({
  leaseId: z.string(),
  name: z.string(),
  provider: z.string(),
  connection: z.string().optional(),
  state: z.string(),
  revocation: z.string(),
  expiresAt: Instant,
  providerExpiresAt: Instant.optional(),
  revokeRequestedAt: Instant.optional(),
  revokeEffectiveAt: Instant.optional(),
  endedAt: Instant.optional(),
  lastError: z.string().optional(),
  /** the target stopped taking it before its time: a renewal brings another */
  renewRequestedAt: Instant.optional(),
  secret: z.record(z.string(), z.json()).optional(),
});
export type CredentialAnswer = z.infer<typeof CredentialSchema>;

export const TaskSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  template: z.looseObject({ name: z.string(), version: z.int() }),
  agent: z.looseObject({ name: z.string() }),
  runtime: z.string(),
  purpose: z.string(),
  createdAt: Instant,
  expiresAt: Instant,
  maxExpiresAt: Instant,
  /** there when the template asks for signs of life */
  heartbeatAt: Instant.optional(),
  heartbeatTimeoutSeconds: z.int().optional(),
  endCause: z.string().optional(),
  endReason: z.string().optional(),
  endedAt: Instant.optional(),
  /** in the answer that grants */
  lifetime: z
    .looseObject({ requestedSeconds: z.int().nullable(), grantedSeconds: z.int(), limitedBy: z.string() })
    .optional(),
  credentials: z.array(CredentialSchema),
});
export type TaskAnswer = z.infer<typeof TaskSchema>;

export const IssuanceSchema = z.looseObject({
  leaseId: z.string(),
  taskId: z.string(),
  state: z.string(),
  name: z.string(),
  provider: z.string(),
  connection: z.string().optional(),
  agent: z.string(),
  template: z.looseObject({ name: z.string(), version: z.int() }),
  createdAt: Instant,
  expiresAt: Instant,
  endedAt: Instant.optional(),
  cause: z.string().optional(),
});
export type IssuanceAnswer = z.infer<typeof IssuanceSchema>;

export const IssuancesSchema = z.object({ items: z.array(IssuanceSchema), nextCursor: z.string().nullable() });
export type IssuancesAnswer = z.infer<typeof IssuancesSchema>;

/** A declared issuer, connection or agent. */
export const DeclaredSchema = z.looseObject({
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  spec: z.record(z.string(), z.json()),
  revision: z.int(),
  state: z.string().optional(),
});

const ContentSchema = z.looseObject({ labels: z.record(z.string(), z.string()), spec: z.record(z.string(), z.json()) });

export const DraftSchema = ContentSchema.extend({ author: z.string(), revision: z.int() });

export const TemplateSchema = z.looseObject({
  name: z.string(),
  state: z.string(),
  revision: z.int(),
  currentVersion: z.int().nullable(),
  draft: z.looseObject({ author: z.string() }).nullable(),
  inForce: ContentSchema.nullable(),
});

const FindingSchema = z.looseObject({
  rule: z.string(),
  severity: z.string(),
  pointer: z.string(),
  detail: z.string(),
});
export type FindingAnswer = z.infer<typeof FindingSchema>;

/** What `POST /declarations/check` answers. Problems are read by `BrokerRefusal.of`. */
export const DeclarationCheckSchema = z.looseObject({
  ok: z.boolean(),
  documents: z.array(
    z.looseObject({
      kind: z.string(),
      name: z.string(),
      refusal: z.looseObject({ status: z.int() }).optional(),
      publication: z.looseObject({ status: z.int() }).optional(),
      findings: z.array(FindingSchema),
    }),
  ),
});

const ChecksSchema = z.array(z.looseObject({ name: z.string(), outcome: z.string(), detail: z.string().optional() }));

/** What `POST /issuers/:name/test` answers. */
export const IssuerTestSchema = z.looseObject({ issuer: z.string(), ok: z.boolean(), checks: ChecksSchema });
export type IssuerTestAnswer = z.infer<typeof IssuerTestSchema>;

/** What `POST /connections/:name/test` answers. */
export const ConnectionTestSchema = z.looseObject({
  connection: z.string(),
  ok: z.boolean(),
  checks: ChecksSchema,
  clockOffsetSeconds: z.number().optional(),
  loginAgeSeconds: z.number().optional(),
});
export type ConnectionTestAnswer = z.infer<typeof ConnectionTestSchema>;
