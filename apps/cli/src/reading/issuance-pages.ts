import {
  answerOf,
  retrying,
  systemTimer,
  type Broker,
  type Issuance,
  type IssuanceFilter,
  type IssuancePage,
  type Timer,
} from '@mayfly/client';

const PAGE = 200;
const PATIENCE_MS = 5_000;

/** One page. `cursor` is the `nextCursor` of the page before, under the same filter. */
export async function issuancePage(
  broker: Broker,
  filter: IssuanceFilter,
  { limit, cursor, timer = systemTimer }: { limit: number; cursor?: string | undefined; timer?: Timer },
): Promise<IssuancePage> {
  const query = { ...filter, limit, ...(cursor === undefined ? {} : { cursor }) };
  const ask = () => answerOf(broker.calls.GET('/issuances', { params: { query } }));
  return (await retrying({ timer, forMs: PATIENCE_MS }, ask)).body;
}

/** The history, one issuance a lease and the newest first: all of it, page by page as they are asked for. */
export async function* allIssuances(broker: Broker, filter: IssuanceFilter): AsyncGenerator<Issuance> {
  for (let cursor: string | undefined; ;) {
    const { items, nextCursor }: IssuancePage = await issuancePage(broker, filter, { limit: PAGE, cursor });
    yield* items;
    if (nextCursor === null) return;
    cursor = nextCursor;
  }
}
