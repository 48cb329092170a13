import { present, Problem, type ControlName } from '@mayfly/kernel';
import { deny, permit, type Denial, type Verdict } from '@mayfly/policy';

/** The verdict of a control; a permit carries the value that later steps use. */
export type Judged<T> =
  { readonly judgement: Verdict & { readonly outcome: 'permit' }; readonly value: T } | { readonly judgement: Denial };

/** Evaluates a control whose check throws a `Problem` to deny. Rethrows all other errors. */
export function judged<T>(control: ControlName, check: () => T): Judged<T> {
  try {
    return { value: check(), judgement: { ...permit(control), outcome: 'permit' } };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { code, detail, extensions } = error;
    const { help, errors } = extensions;
    const evidence = errors === undefined ? undefined : { errors: errors.map((one) => ({ ...one })) };
    return { judgement: deny(control, detail, { problem: code, ...present({ help, evidence }) }) };
  }
}
