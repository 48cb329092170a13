import { z } from 'zod';
import { CheckSchema } from './connection-test.schema.js';

/** What `POST /issuers/:name/test` takes. */
export const TestIssuerSchema = z
  .strictObject({
    token: z
      .string()
      .min(1)
      .max(16_384)
      .optional()
      .meta({ description: 'an identity token to judge; it is kept nowhere, is not used up, and opens nothing' }),
  })
  .meta({ id: 'TestIssuer' });
export type TestIssuer = z.infer<typeof TestIssuerSchema>;

/** What `POST /issuers/:name/test` answers. */
export const IssuerTestSchema = z
  .strictObject({
    issuer: z.string(),
    ok: z.boolean().meta({ description: 'nothing is missing and nothing failed' }),
    checks: z.array(CheckSchema),
  })
  .meta({ id: 'IssuerTest' });
