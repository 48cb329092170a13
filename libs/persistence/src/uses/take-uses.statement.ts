import type { UseRequest, UsesLeft, UseVerdict } from '@mayfly/enforcement';
import { USE_UNITS, type UseCounter, type UseUnit } from '@mayfly/tasks';
import type { ClientBase, Pool } from 'pg';
import { RecordType } from '../database/records.js';

interface PlacedRequest {
  readonly request: UseRequest;
  readonly path: string;
}

const REQUESTS = new RecordType<PlacedRequest>('use_request', {
  task_id: ({ request }) => request.taskId,
  lease_id: ({ request }) => request.leaseId,
  key: ({ request }) => request.key,
  path: ({ path }) => path,
  calls: ({ request }) => request.amounts.calls,
  queries: ({ request }) => request.amounts.queries,
  rows: ({ request }) => request.amounts.rows,
  bytes: ({ request }) => request.amounts.bytes,
  spend: ({ request }) => request.amounts.spend,
});

const LIMITS = new RecordType<UseCounter>('use_limit', {
  task_id: ({ taskId }) => taskId,
  calls: ({ limits }) => limits.total.calls,
  queries: ({ limits }) => limits.total.queries,
  rows: ({ limits }) => limits.total.rows,
  bytes: ({ limits }) => limits.total.bytes,
  spend: ({ limits }) => limits.total.spend,
  per_minute: ({ limits }) => limits.callsPerMinute,
});

/** The amounts that a counter has after the call, in the order of `USE_UNITS`. */
interface ReadCounter extends UseCounter {
  readonly used: readonly number[];
}

/**
 * Takes uses for many requests, as one call of the function `take_uses`. Returns the verdicts in the order of the requests;
 * without `mayEnd`, undefined when one of them crosses a limit, and then nothing was taken.
 */
export async function takeUses(
  client: ClientBase | Pool,
  requests: readonly UseRequest[],
  mayEnd: boolean,
): Promise<readonly UseVerdict[] | undefined> {
  const counters = countersOf(requests);
  const placeOf = new Map(counters.map(({ taskId }, index) => [taskId, index + 1]));
  const placed = requests.map((request) => ({
    request,
    path: request.counters.map(({ taskId }) => String(placeOf.get(taskId))).join(),
  }));
  const { rows } = await client.query<{ verdicts: string[] | null; used: string[] | null }>({
    name: 'take-uses',
    text: 'SELECT verdicts, used FROM public.take_uses($1, $2, $3)',
    values: [await REQUESTS.encode(client, placed), await LIMITS.encode(client, counters), mayEnd],
  });
  const { verdicts, used } = rows[0] ?? {};
  if (!verdicts) return undefined;
  const amounts = (used ?? []).map(Number);
  const read = counters.map((counter, index) => ({
    ...counter,
    used: amounts.slice(index * UNITS, (index + 1) * UNITS),
  }));
  const byTask = new Map(read.map((counter) => [counter.taskId, counter]));
  return requests.map((request, place) => {
    const own = request.counters.flatMap(({ taskId }) => byTask.get(taskId) ?? []);
    return verdictOf(verdicts[place] ?? 'dead:unknown', counters, leftOf(own));
  });
}

const UNITS = USE_UNITS.length;

/** Returns each counter once, sorted: every process locks them in this order. */
function countersOf(requests: readonly UseRequest[]): readonly UseCounter[] {
  const byTask = new Map(requests.flatMap(({ counters }) => counters.map((counter) => [counter.taskId, counter])));
  return [...byTask.values()].sort((one, other) => (one.taskId < other.taskId ? -1 : 1));
}

function verdictOf(text: string, counters: readonly UseCounter[], left: UsesLeft): UseVerdict {
  const [kind, first = '', second = ''] = text.split(':');
  if (kind === 'taken' || kind === 'repeated') return { kind, left };
  const counter = counters[Number(first) - 1];
  if (kind === 'over' && counter !== undefined) return { kind: 'exhausted', counter, unit: second as UseUnit, left };
  if (kind === 'fast' && counter !== undefined)
    return { kind: 'too-fast', counter, left, ...(second === '' ? {} : { retryAfterSeconds: Number(second) }) };
  return { kind: 'dead', cause: first, left };
}

/** For each unit, the counter that has the least left. */
function leftOf(counters: readonly ReadCounter[]): UsesLeft {
  const left: Partial<Record<UseUnit, { limit: number; left: number }>> = {};
  for (const { limits, used } of counters) {
    USE_UNITS.forEach((unit, index) => {
      const limit = limits.total[unit];
      if (limit === undefined) return;
      const rest = Math.max(0, limit - (used[index] ?? limit));
      if (rest < (left[unit]?.left ?? Infinity)) left[unit] = { limit, left: rest };
    });
  }
  return left;
}
