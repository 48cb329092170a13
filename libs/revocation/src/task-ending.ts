import type { LeaseClosing } from './lease-closing.js';
import type { EndRequest } from '@mayfly/tasks';
import type { ClosingStore } from './closing.store.js';

/** Ends tasks: completion, failure, revocation, suspension of an agent. */
export class TaskEnding {
  constructor(
    private readonly store: ClosingStore,
    private readonly closing: LeaseClosing,
  ) {}

  /**
   * Records the end and closes at once what can be closed at once; what cannot is left `revoking` for the worker, which
   * never stops trying. Ending a task that is ending or ended changes nothing.
   */
  async end(request: EndRequest): Promise<void> {
    const claims = await this.store.requestEnd(request);
    if (claims.length > 0) await this.closing.close(claims);
  }
}
