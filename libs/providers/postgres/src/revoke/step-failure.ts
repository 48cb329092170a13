import { explain } from '../failures.js';
import { NotConnected } from '../target.js';

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

/** Throws `StepFailure`; `step` completes "could not …". */
export async function inStep<T>(step: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new StepFailure(`could not ${step}: ${explain(error)}`, error instanceof NotConnected);
  }
}
