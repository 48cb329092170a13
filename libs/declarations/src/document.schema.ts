import { ConnectionSpecSchema } from '@mayfly/credentials';
import { AgentSpecSchema, IssuerSpecSchema } from '@mayfly/identity';
import { LabelsSchema, NameSchema } from '@mayfly/kernel';
import { PolicySpecSchema } from '@mayfly/policy';
import { TaskTemplateSpecSchema } from '@mayfly/templates';
import { z } from 'zod';

/** The address `GET /policies/schema` is taken, so no policy can have this name. */
const PolicyNameSchema = NameSchema.refine((name) => name !== 'schema', 'use another name; `schema` is taken');

const MetadataSchema = z.strictObject({ name: NameSchema, labels: LabelsSchema.optional() });

/** The schema of each kind, in the order of applying: a document comes after the documents that it names. */
export const DOCUMENT_SCHEMAS = {
  Issuer: z.strictObject({ kind: z.literal('Issuer'), metadata: MetadataSchema, spec: IssuerSpecSchema }),
  Connection: z.strictObject({ kind: z.literal('Connection'), metadata: MetadataSchema, spec: ConnectionSpecSchema }),
  Agent: z.strictObject({ kind: z.literal('Agent'), metadata: MetadataSchema, spec: AgentSpecSchema }),
  Policy: z.strictObject({
    kind: z.literal('Policy'),
    metadata: MetadataSchema.extend({ name: PolicyNameSchema }),
    spec: PolicySpecSchema,
  }),
  TaskTemplate: z.strictObject({
    kind: z.literal('TaskTemplate'),
    metadata: MetadataSchema,
    spec: TaskTemplateSpecSchema,
  }),
} as const;

/** Every declaration of a platform team, the same in REST and in files: `{kind, metadata, spec}`. */
export const DocumentSchema = z.discriminatedUnion('kind', [
  DOCUMENT_SCHEMAS.Issuer,
  DOCUMENT_SCHEMAS.Connection,
  DOCUMENT_SCHEMAS.Agent,
  DOCUMENT_SCHEMAS.Policy,
  DOCUMENT_SCHEMAS.TaskTemplate,
]);

export type Declaration = z.infer<typeof DocumentSchema>;
export type DeclarationKind = Declaration['kind'];
export type DeclarationOf<Kind extends DeclarationKind> = Extract<Declaration, { kind: Kind }>;

export const DECLARATION_KINDS = Object.keys(DOCUMENT_SCHEMAS) as readonly DeclarationKind[];

/** Returns the documents of one kind, in the given order. */
export function ofKind<Kind extends DeclarationKind>(
  kind: Kind,
  declarations: readonly Declaration[],
): DeclarationOf<Kind>[] {
  return declarations.filter((declared): declared is DeclarationOf<Kind> => declared.kind === kind);
}

/** Returns the same documents in the order of applying. */
export function inApplyOrder(declarations: readonly Declaration[]): Declaration[] {
  return DECLARATION_KINDS.flatMap((kind): Declaration[] => ofKind(kind, declarations));
}
