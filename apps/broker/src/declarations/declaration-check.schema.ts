import { DECLARATION_KINDS } from '@mayfly/declarations';
import { ProblemSchema } from '@mayfly/http';
import { NameSchema } from '@mayfly/kernel';
import { z } from 'zod';
import { FindingSchema } from '../templates/template.view.js';

/** The same limit as for the documents of one file. */
const MAX_DOCUMENTS = 200;

/** Body of `POST /declarations/check`: the documents that `mayfly apply` would send one by one. */
export const CheckRunSchema = z
  .strictObject({
    documents: z
      .array(z.json())
      .min(1)
      .max(MAX_DOCUMENTS)
      .meta({ description: 'documents `{kind, metadata, spec}` of any kind, in any order' }),
    publish: z.boolean().default(false).meta({ description: 'true: the run also publishes the drafts of templates' }),
  })
  .meta({ id: 'DeclarationRun' });
export type CheckRun = z.infer<typeof CheckRunSchema>;

/** Answer of `POST /declarations/check`. */
export const DeclarationCheckSchema = z
  .strictObject({
    ok: z.boolean().meta({ description: 'true when nothing in the run would be refused' }),
    documents: z
      .array(
        z.strictObject({
          kind: z.enum(DECLARATION_KINDS),
          name: NameSchema,
          refusal: ProblemSchema.optional().meta({ description: 'the problem that sending the document would return' }),
          publication: ProblemSchema.optional().meta({
            description: 'templates with `publish` only: the problem that publishing would return',
          }),
          findings: z
            .array(FindingSchema)
            .meta({ description: 'templates only: findings of the linter and the targets' }),
        }),
      )
      .meta({ description: 'in the order of applying' }),
  })
  .meta({ id: 'DeclarationCheck' });
