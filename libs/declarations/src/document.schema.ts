import { ConnectionSpecSchema } from '@mayfly/credentials';
import { AgentSpecSchema, IssuerSpecSchema } from '@mayfly/identity';
import { LabelsSchema, NameSchema } from '@mayfly/kernel';
import { TaskTemplateSpecSchema } from '@mayfly/templates';
import { z } from 'zod';

const MetadataSchema = z.strictObject({ name: NameSchema, labels: LabelsSchema.optional() });

/** The schema of each kind, in the order in which documents are applied: what is named comes before what names it. */
export const DOCUMENT_SCHEMAS = {
  Issuer: z.strictObject({ kind: z.literal('Issuer'), metadata: MetadataSchema, spec: IssuerSpecSchema }),
  Connection: z.strictObject({ kind: z.literal('Connection'), metadata: MetadataSchema, spec: ConnectionSpecSchema }),
  Agent: z.strictObject({ kind: z.literal('Agent'), metadata: MetadataSchema, spec: AgentSpecSchema }),
  TaskTemplate: z.strictObject({
    kind: z.literal('TaskTemplate'),
    metadata: MetadataSchema,
    spec: TaskTemplateSpecSchema,
  }),
} as const;

/** Everything that a platform team declares, the same through REST and in files: `{kind, metadata, spec}`. */
export const DocumentSchema = z.discriminatedUnion('kind', [
  DOCUMENT_SCHEMAS.Issuer,
  DOCUMENT_SCHEMAS.Connection,
  DOCUMENT_SCHEMAS.Agent,
  DOCUMENT_SCHEMAS.TaskTemplate,
]);

export type Declaration = z.infer<typeof DocumentSchema>;
export type DeclarationKind = Declaration['kind'];
export type DeclarationOf<Kind extends DeclarationKind> = Extract<Declaration, { kind: Kind }>;

export const DECLARATION_KINDS = Object.keys(DOCUMENT_SCHEMAS) as readonly DeclarationKind[];

/** The documents of one kind, in the order given. */
export function ofKind<Kind extends DeclarationKind>(
  kind: Kind,
  declarations: readonly Declaration[],
): DeclarationOf<Kind>[] {
  return declarations.filter((declared): declared is DeclarationOf<Kind> => declared.kind === kind);
}

/** The same documents in the order in which they are applied. */
export function inApplyOrder(declarations: readonly Declaration[]): Declaration[] {
  return DECLARATION_KINDS.flatMap((kind): Declaration[] => ofKind(kind, declarations));
}
