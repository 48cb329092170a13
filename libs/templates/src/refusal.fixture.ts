import { Problem, type FieldError, type ProblemCode } from '@mayfly/kernel';

export interface Refusal {
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[];
}

/** For specs: returns the problem that `act` throws. Fails when `act` throws nothing or another error. */
export function refusalOf(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return { code: error.code, errors: error.extensions.errors ?? [] };
    throw error;
  }
  throw new Error('nothing was refused');
}
