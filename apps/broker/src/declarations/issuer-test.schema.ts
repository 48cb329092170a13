import { z } from 'zod';
import { CheckSchema } from './connection-test.schema.js';

/** Body of `POST /issuers/:name/test`. */
export const TestIssuerSchema = z
  .strictObject({
    token: z
      .string()
      .min(1)
      .max(16_384)
      .optional()
      .meta({ description: 'an identity token to check; it is not stored, not used up, and gives no access' }),
  })
  .meta({ id: 'TestIssuer' });
export type TestIssuer = z.infer<typeof TestIssuerSchema>;

/** Answer of `POST /issuers/:name/test`. */
export const IssuerTestSchema = z
  .strictObject({
    issuer: z.string(),
    ok: z.boolean().meta({ description: 'true when no check is `missing` or `failed`' }),
    checks: z.array(CheckSchema),
  })
  .meta({ id: 'IssuerTest' });
