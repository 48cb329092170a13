/** No session was had, so no statement was sent: the cause is the driver's error or the caller's signal. */
export class NotConnected extends Error {
  constructor(override readonly cause: unknown) {
    super('no connection to the database', { cause });
    this.name = 'NotConnected';
  }
}

/** A step of a revocation that did not work, in words that name the step and the server's answer. */
export class StepFailure extends Error {
  constructor(
    readonly detail: string,
    /** no session could be had at all */
    readonly isUnreached: boolean,
  ) {
    super(detail);
    this.name = 'StepFailure';
  }
}
