import { type Json, type JsonObject, type Page, type PageRequest, pageView, positionOf } from '@mayfly/kernel';
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

/** The form in which a route answers with a list: the positions in its cursors, and its items. */
export interface ListForm<Item, Position extends Json> {
  /** the schema of the position that a cursor of this list holds */
  readonly position: z.ZodType<Position>;
  /** Returns one item of the answer. */
  readonly view: (item: Item) => JsonObject;
}

/**
 * Reads the page that a query asks for and returns the answer. Throws `invalid_request` for a cursor of another list.
 */
export async function answerPage<Item, Position extends Json>(
  { limit, cursor }: PageQuery,
  { position, view }: ListForm<Item, Position>,
  read: (page: PageRequest<Position>) => Promise<Page<Item, Position>>,
): Promise<JsonObject> {
  const { items, next } = await read({ limit, after: positionOf(cursor, position) });
  return pageView(items.map(view), next);
}
