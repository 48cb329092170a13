import type { AuditFilter, AuditHistory, RefusalFilter } from '@mayfly/audit';
import { type JsonObject, pageView, present, Problem, type TaskId } from '@mayfly/kernel';
import {
  type IssuanceFilter,
  type IssuanceHistory,
  leaseSeenAs,
  type OverdueFilter,
  type OverdueLeases,
} from '@mayfly/tasks';
import { FilterCursor } from './filter-cursor.js';
import { issuanceView, refusalView, sealedView, storyView } from './history.view.js';
import { overdueView } from './overdue.view.js';
import {
  IssuancePositionSchema,
  OverduePositionSchema,
  RefusalPositionSchema,
  SequenceSchema,
  StoryPositionSchema,
} from './positions.js';

/** The request for a page of a list; `cursor` is the `nextCursor` of the page before. */
interface PageQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}
interface Choice {
  readonly abandoned: boolean;
}
interface SeenAs {
  readonly seenAs?: string | undefined;
}
type ListQuery<Filter> = PageQuery & Filter;

/**
 * Reads the history for auditors and operators, and refused identities for platform teams. A list returns
 * `{items, nextCursor}`. All methods throw `invalid_request` for a cursor of another list.
 */
export class History {
  constructor(
    private readonly history: IssuanceHistory,
    private readonly audit: AuditHistory,
    private readonly leases: OverdueLeases,
  ) {}

  /** Lists leases, newest first. `seenAs` is the name of a credential in the log of its target (`leaseSeenAs`). */
  async issuances({ limit, cursor, seenAs, ...rest }: ListQuery<IssuanceFilter & SeenAs>): Promise<JsonObject> {
    const leaseId = seenAs === undefined ? undefined : leaseSeenAs(seenAs);
    if (seenAs !== undefined && leaseId === undefined) throw new Problem('invalid_request', NAMES_NO_LEASE);
    const filter = { ...rest, ...present({ leaseId }) };
    const cursors = new FilterCursor('issuances', filter, IssuancePositionSchema);
    const page = await this.history.issuances(filter, { limit, after: cursors.read(cursor) });
    return pageView(page.items.map(issuanceView), cursors.next(page.next && { ...page.next }));
  }

  /**
   * Lists leases that should be dead and are not proven dead, longest overdue first: those that Mayfly still tries to
   * revoke, or with `abandoned` those that an operator gave up.
   */
  async overdue({ limit, cursor, abandoned, ...filter }: ListQuery<OverdueFilter & Choice>): Promise<JsonObject> {
    const list = abandoned ? 'abandoned' : 'overdue';
    const cursors = new FilterCursor(list, filter, OverduePositionSchema);
    const page = await this.leases[list](filter, { limit, after: cursors.read(cursor) });
    return pageView(page.items.map(overdueView), cursors.next(page.next && { ...page.next }));
  }

  /** Reads all audit entries of a task. Throws `not_found`. */
  async timeline(taskId: TaskId, { limit, cursor }: PageQuery): Promise<JsonObject> {
    const cursors = new FilterCursor('timeline', { taskId }, StoryPositionSchema);
    const after = cursors.read(cursor);
    const page = await this.audit.story(taskId, { limit, after });
    // Every task has an entry, because the first one is committed with the task.
    if (after === undefined && page.items.length === 0)
      throw new Problem('not_found', `there is no task \`${taskId}\``);
    return pageView(page.items.map(storyView), cursors.next(page.next && { ...page.next }));
  }

  /** Lists refused identities, newest first. */
  async refusals({ limit, cursor, ...filter }: ListQuery<RefusalFilter>): Promise<JsonObject> {
    const cursors = new FilterCursor('refusals', filter, RefusalPositionSchema);
    const page = await this.audit.refusals(filter, { limit, after: cursors.read(cursor) });
    return pageView(page.items.map(refusalView), cursors.next(page.next && { ...page.next }));
  }

  /** Reads the audit entries in sequence. */
  async entries({ limit, cursor, ...filter }: ListQuery<AuditFilter>): Promise<JsonObject> {
    const cursors = new FilterCursor('entries', filter, SequenceSchema);
    const page = await this.audit.entries(filter, { limit, after: cursors.read(cursor) });
    return pageView(page.items.map(sealedView), cursors.next(page.next));
  }
}

const NAMES_NO_LEASE =
  '`seenAs` names no lease; use a database role `mayfly_…`, the name or ARN of an AWS session, or the `jti` of a token';
