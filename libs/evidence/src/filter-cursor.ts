import { digestOf, type JsonObject, positionOf } from '@mayfly/kernel';
import { z } from 'zod';

/**
 * A cursor that is bound to its list and filters: under other filters it would skip or repeat items unnoticed. Reading
 * a cursor of another list, or of other filters, throws `invalid_request`.
 */
export class FilterCursor<Position> {
  private readonly schema: z.ZodType<readonly [string, Position]>;
  private readonly filters: string;

  constructor(list: string, filters: JsonObject, position: z.ZodType<Position>) {
    this.filters = digestOf([list, filters]).slice(0, 16);
    this.schema = z.tuple([z.literal(this.filters), position]);
  }

  /** Returns the position after which the page starts; undefined without a cursor. */
  read(cursor: string | undefined): Position | undefined {
    return positionOf(cursor, this.schema)?.[1];
  }

  /** Returns the cursor content for `pageView`; undefined on the last page. */
  next<Next>(position: Next | undefined): readonly [string, Next] | undefined {
    return position === undefined ? undefined : [this.filters, position];
  }
}
