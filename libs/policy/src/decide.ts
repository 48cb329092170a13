import { CONTROLS, type DecisionInput, type Verdict } from './control.js';

/** A decision with its control trace: every control's verdict, in order. */
export interface Decision {
  readonly permitted: boolean;
  readonly trace: readonly Verdict[];
  /** the first control that denied */
  readonly refusal?: Verdict;
}

/** Evaluates every control, so that the trace is whole. Denied as soon as one of them denies. */
export function decide(input: DecisionInput): Decision {
  const trace = CONTROLS.map((control) => control(input));
  const refusal = trace.find((verdict) => verdict.outcome === 'deny');
  return refusal === undefined ? { permitted: true, trace } : { permitted: false, trace, refusal };
}
