import type { LeaseClosing } from './lease-closing.js';
import type { EndRequest } from '@mayfly/tasks';
import type { ClosingStore } from './closing.store.js';

/** Ends tasks on completion, failure, revocation, or suspension of an agent. */
export class TaskEnding {
  constructor(
    private readonly store: ClosingStore,
    private readonly closing: LeaseClosing,
  ) {}

  /**
   * Records the end and closes at once the leases that can be closed; the others stay `revoking`, and the worker
   * retries them without limit. Does nothing for a task that is ending or has ended.
   */
  async end(request: EndRequest): Promise<void> {
    const claims = await this.store.requestEnd(request);
    if (claims.length > 0) await this.closing.close(claims);
  }
}
