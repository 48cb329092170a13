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

/** Called after each step. Crash tests stop the process here. */
export interface StepObserver {
  reached(step: Step): void;
}
