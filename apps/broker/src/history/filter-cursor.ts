import { digestOf, type JsonObject } from '@mayfly/kernel';
import { z } from 'zod';
import { positionOf } from '../http/page.js';

/**
 * A cursor that goes with the filters of its page: with others it would skip or repeat items without a sign of it.
 * Reading one throws `invalid_request` for a cursor of another list, or of the same list under other filters.
 */
export class FilterCursor<Position> {
  private readonly schema: z.ZodType<readonly [string, Position]>;
  private readonly filters: string;

  constructor(list: string, filters: JsonObject, position: z.ZodType<Position>) {
    this.filters = digestOf([list, filters]).slice(0, 16);
    this.schema = z.tuple([z.literal(this.filters), position]);
  }

  /** The position to go on from, or undefined without a cursor. */
  read(cursor: string | undefined): Position | undefined {
    return positionOf(cursor, this.schema)?.[1];
  }

  /** What `pageView` writes down, or undefined on the last page. */
  next<Next>(position: Next | undefined): readonly [string, Next] | undefined {
    return position === undefined ? undefined : [this.filters, position];
  }
}
