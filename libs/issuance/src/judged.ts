import { present, Problem, type ControlName } from '@mayfly/kernel';
import { deny, permit, type Refusal } from '@mayfly/policy';

/** The verdict of a control; a permit carries the value that later steps use. */
export type Judged<T> =
  { readonly judgement: ReturnType<typeof permit>; readonly value: T } | { readonly judgement: Refusal };

/** Evaluates a control whose check throws a `Problem` to deny. Rethrows all other errors. */
export function judged<T>(control: ControlName, check: () => T): Judged<T> {
  try {
    return { value: check(), judgement: permit(control) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { code, detail, extensions } = error;
    const { help, errors } = extensions;
    return { judgement: deny(control, detail, { problem: code, ...present({ help, errors }) }) };
  }
}
