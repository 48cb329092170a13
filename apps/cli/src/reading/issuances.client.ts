import { IssuancesSchema, type IssuanceAnswer, type IssuancesAnswer } from '../broker/answers.js';
import { retrying } from '../broker/retrying.js';
import type { Transport } from '../broker/transport.js';
import { systemTimer, type Timer } from '../timer.js';

const PAGE = 200;
const PATIENCE_MS = 5_000;

/** What `GET /issuances` filters by. */
export interface IssuanceFilter {
  readonly agent?: string;
  readonly template?: string;
  readonly provider?: string;
  readonly state?: string;
  readonly cause?: string;
  readonly taskId?: string;
  readonly from?: string;
  readonly to?: string;
}

/** The history: one issuance a lease, the newest first. */
export class IssuancesClient {
  constructor(
    private readonly transport: Transport,
    private readonly timer: Timer = systemTimer,
  ) {}

  /** One page. `cursor` is the `nextCursor` of the page before, under the same filter. */
  async page(filter: IssuanceFilter, limit: number, cursor?: string): Promise<IssuancesAnswer> {
    const query = new URLSearchParams({ ...filter, limit: String(limit), ...(cursor === undefined ? {} : { cursor }) });
    const ask = () => this.transport.call('GET', `/issuances?${query.toString()}`, IssuancesSchema);
    return (await retrying({ timer: this.timer, forMs: PATIENCE_MS }, ask)).body;
  }

  /** All of them, page by page as they are asked for. */
  async *all(filter: IssuanceFilter): AsyncGenerator<IssuanceAnswer> {
    for (let cursor: string | undefined; ;) {
      const { items, nextCursor }: IssuancesAnswer = await this.page(filter, PAGE, cursor);
      yield* items;
      if (nextCursor === null) return;
      cursor = nextCursor;
    }
  }
}
