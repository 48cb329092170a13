/**
 * Thrown when no session could be opened, so no statement was sent. The cause is the driver's error or the reason of
 * the caller's signal.
 */
export class NotConnected extends Error {
  constructor(override readonly cause: unknown) {
    super('no connection to the database', { cause });
    this.name = 'NotConnected';
  }
}

/** Thrown when a revocation step fails. `detail` names the step and the server's answer. */
export class StepFailure extends Error {
  constructor(
    readonly detail: string,
    /** true when no session could be opened */
    readonly isUnreached: boolean,
  ) {
    super(detail);
    this.name = 'StepFailure';
  }
}
