import { z } from 'zod';

/** Query of every list. */
export const PageQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(500).optional().meta({ description: '`nextCursor` of the previous page' }),
});
export type PageQuery = z.infer<typeof PageQuerySchema>;

/** Returns the schema of a list's answer. */
export function pageSchema(item: z.ZodType, id: string) {
  return z
    .strictObject({
      items: z.array(item),
      nextCursor: z.string().nullable().meta({ description: 'cursor of the next page; null on the last page' }),
    })
    .meta({ id });
}
