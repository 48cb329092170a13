/** The steps of the path that this process observes, in order. The names are those of docs/issuance.md. */
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

/** Port: is told the steps of the path. Crash tests stop the process here. */
export interface StepObserver {
  /** Called when the step is done, and its commit if it has one. */
  reached(step: Step): void;
}
