/** The steps of `POST /tasks` that this process observes, in order. The names are those of docs/issuance.md. */
export const STEPS = [
  'hold',
  'load',
  'validate',
  'decide',
  'narrow',
  'plan',
  'consume',
  'open',
  'mint',
  'check',
  'activate',
  'answer',
] as const;

export type Step = (typeof STEPS)[number];

/**
 * Every step after which a crash test can stop the process: those of `POST /tasks`, those inside them, and those of the
 * other paths. docs/issuance.md says what each of them leaves.
 */
export const FAILPOINTS = [
  ...STEPS,
  // inside a mint: a provider tells a handle that only the target can complete
  ...(['handle', 'record-handle'] as const),
  // after the answer: it is saved for the repeated request
  'settle',
  // POST /tasks/:id/delegate and /accept
  ...(['delegate', 'accept'] as const),
  // POST /tasks/:id/renew
  ...(['renew', 'reissue', 'renew-at-provider', 'record-renewal'] as const),
  // the end of leases, for every cause
  ...(['claim', 'revoke', 'close'] as const),
  // POST /lockdowns, and every other end of many tasks
  ...(['engage', 'end-batch'] as const),
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

/** Port: is told the steps of the paths. Crash tests stop the process here. */
export interface StepObserver {
  /**
   * Called when the step is done, and its commit if it has one. Callers wait for the promise, if there is one; the steps
   * `load`, `validate`, `decide` and `narrow` have no effect, and nobody waits there.
   */
  reached(step: Failpoint): Promise<void> | undefined;
}

/** The observer outside crash tests. */
export const NO_OBSERVER: StepObserver = { reached: () => undefined };
