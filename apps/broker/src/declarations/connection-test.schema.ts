import { z } from 'zod';

/** One check of a connection test or an issuer test. */
export const CheckSchema = z.strictObject({
  name: z.string().meta({ description: 'the check', examples: ['log in'] }),
  outcome: z.enum(['ok', 'warning', 'missing', 'failed', 'skipped']).meta({
    description:
      '`missing`: a right is missing; `failed`: the check did not succeed; `warning`: it works, and `detail` names the remaining gap',
  }),
  detail: z.string().optional(),
});

/** Answer of `POST /connections/:name/test`. */
export const ConnectionTestSchema = z
  .strictObject({
    connection: z.string(),
    ok: z.boolean().meta({ description: 'true when no check is `missing` or `failed`' }),
    checks: z.array(CheckSchema),
    clockOffsetSeconds: z.number().optional().meta({ description: "the target's clock minus the broker's clock" }),
    loginAgeSeconds: z.number().optional().meta({ description: "age of the broker's own login at the target" }),
  })
  .meta({ id: 'ConnectionTest' });
