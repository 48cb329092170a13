import { LabelsSchema } from '@mayfly/kernel';
import { z } from 'zod';

const QuotaSchema = z.strictObject({
  tasksPerMinute: z.int(),
  concurrentTasks: z.int(),
  uses: z
    .union([
      z.int(),
      z.strictObject({ calls: z.int(), queries: z.int(), rows: z.int(), bytes: z.int(), spend: z.int() }).partial(),
    ])
    .optional()
    .meta({ description: 'the uses of one task with everything below it; a number counts calls' }),
  usesPerMinute: z.int().optional(),
});

/** Answer of `GET /me`. It discloses no policy, and no template that the agent may not use. */
export const MeSchema = z
  .strictObject({
    agent: z.strictObject({ id: z.string(), name: z.string(), state: z.string(), labels: LabelsSchema }),
    runtime: z.string(),
    identity: z.strictObject({ issuer: z.string(), subject: z.string(), expiresAt: z.iso.datetime() }),
    templates: z.array(
      z.strictObject({
        name: z.string(),
        version: z.int(),
        description: z.string(),
        parameters: z
          .record(z.string(), z.json())
          .meta({ description: 'JSON Schema of `parameters` in `POST /tasks`' }),
        lifetime: z.strictObject({ defaultSeconds: z.int(), maxSeconds: z.int() }),
        quota: QuotaSchema,
        credentials: z.array(z.strictObject({ name: z.string(), provider: z.string() })),
      }),
    ),
  })
  .meta({ id: 'Me' });
