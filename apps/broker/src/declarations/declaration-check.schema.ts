import { NameSchema } from '@mayfly/kernel';
import { DECLARATION_KINDS } from '@mayfly/declarations';
import { z } from 'zod';
import { ProblemSchema } from '../http/api-problems.js';
import { FindingSchema } from '../templates/template.view.js';

/** As many as one file of documents may hold. */
const MAX_DOCUMENTS = 200;

/** A run of documents, as `mayfly apply` would send them one by one. */
export const CheckRunSchema = z
  .strictObject({
    documents: z
      .array(z.json())
      .min(1)
      .max(MAX_DOCUMENTS)
      .meta({ description: 'documents `{kind, metadata, spec}` of any kind, in any order' }),
    publish: z
      .boolean()
      .default(false)
      .meta({ description: 'whether the run puts the drafts of templates in force as well' }),
  })
  .meta({ id: 'DeclarationRun' });
export type CheckRun = z.infer<typeof CheckRunSchema>;

/** What `POST /declarations/check` answers. */
export const DeclarationCheckSchema = z
  .strictObject({
    ok: z.boolean().meta({ description: 'the run would go through: nothing in it would be refused' }),
    documents: z
      .array(
        z.strictObject({
          kind: z.enum(DECLARATION_KINDS),
          name: NameSchema,
          refusal: ProblemSchema.optional().meta({ description: 'what sending the document would be answered with' }),
          publication: ProblemSchema.optional().meta({
            description: 'of templates, with `publish`: what publishing it would be answered with',
          }),
          findings: z.array(FindingSchema).meta({ description: 'of templates: of the linter and the targets' }),
        }),
      )
      .meta({ description: 'in the order of applying' }),
  })
  .meta({ id: 'DeclarationCheck' });
