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

/** Reads one page. `cursor` is the `nextCursor` of the previous page under the same filter. */
export async function issuancePage(
  broker: Broker,
  filter: IssuanceFilter,
  { limit, cursor, timer = systemTimer }: { limit: number; cursor?: string | undefined; timer?: Timer },
): Promise<IssuancePage> {
  const query = { ...filter, limit, ...(cursor === undefined ? {} : { cursor }) };
  const ask = () => answerOf(broker.calls.GET('/issuances', { params: { query } }));
  return (await retrying({ timer, forMs: PATIENCE_MS }, ask)).body;
}

/** Reads all issuances, newest first, and fetches each page on demand. */
export async function* allIssuances(broker: Broker, filter: IssuanceFilter): AsyncGenerator<Issuance> {
  for (let cursor: string | undefined; ;) {
    const { items, nextCursor }: IssuancePage = await issuancePage(broker, filter, { limit: PAGE, cursor });
    yield* items;
    if (nextCursor === null) return;
    cursor = nextCursor;
  }
}
