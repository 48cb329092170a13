import { z } from 'zod';

/** One thing that a test looked at. */
export const CheckSchema = z.strictObject({
  name: z.string().meta({ description: 'what was tried', examples: ['log in'] }),
  outcome: z.enum(['ok', 'warning', 'missing', 'failed', 'skipped']).meta({
    description:
      '`missing`: a right is not there; `failed`: it could not be found out; `warning`: it works, and `detail` says what it leaves open',
  }),
  detail: z.string().optional(),
});

/** What `POST /connections/:name/test` answers. */
export const ConnectionTestSchema = z
  .strictObject({
    connection: z.string(),
    ok: z.boolean().meta({ description: 'nothing is missing and nothing failed' }),
    checks: z.array(CheckSchema),
    clockOffsetSeconds: z.number().optional().meta({ description: "the target's clock minus ours" }),
    loginAgeSeconds: z.number().optional().meta({ description: "since the broker's own login at the target" }),
  })
  .meta({ id: 'ConnectionTest' });
