/** The steps of the path (docs/issuance.md). */
export type Step =
  'load' | 'validate' | 'decide' | 'narrow' | 'plan' | 'open' | 'mint' | 'check' | 'activate' | 'answer';

/** Told after each step. Crash tests stop the process here. */
export interface StepObserver {
  reached(step: Step): void;
}
