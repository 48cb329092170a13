import {
  CONTROL_NAMES,
  present,
  Problem,
  type ControlName,
  type FieldError,
  type JsonObject,
  type ProblemCode,
  type ProblemExtensions,
} from '@mayfly/kernel';
import { CONTROL_FACTS } from './control-facts.js';

/** The verdict of one control. The caller may see all of it, and it is stored. */
export interface Verdict {
  readonly control: ControlName;
  readonly outcome: 'permit' | 'deny' | 'not_evaluated';
  /** the reason of a denial; lower case, no final stop */
  readonly detail?: string;
  /** the change that would help the caller, when the caller may know it */
  readonly help?: string;
  /** the facts behind the verdict, for instance the limit that is used up */
  readonly evidence?: JsonObject;
}

/** A denial, with the members that only its problem document uses. */
export interface Refusal extends Verdict {
  readonly outcome: 'deny';
  readonly detail: string;
  /** present when it differs from the code in the control's facts */
  readonly problem?: ProblemCode;
  readonly retryAfterSeconds?: number;
  /** INVARIANT: I10, no part of the verdict: field errors quote names that the caller sent, which may be a secret. */
  readonly errors?: readonly FieldError[];
}

export type Judgement = Verdict | Refusal;

const TRACED = CONTROL_NAMES.filter((name) => CONTROL_FACTS[name].inTrace);

/** Returns the permit of one control. */
export const permit = (control: ControlName) => ({ control, outcome: 'permit' }) as const satisfies Verdict;

/** Returns the denial of one control. */
export const deny = (
  control: ControlName,
  detail: string,
  more: Omit<Refusal, 'control' | 'outcome' | 'detail'> = {},
) => ({ control, outcome: 'deny', detail, ...more }) as const satisfies Refusal;

/**
 * The decision on one request: the verdict of every control of a task, in the order of `CONTROL_NAMES`. Audit entries,
 * dry runs and problem documents are views of it. Immutable: `with` returns a new decision.
 */
export class Decision {
  private constructor(private readonly judgements: ReadonlyMap<ControlName, Judgement>) {}

  /** Builds a decision. Controls without a judgement are `not_evaluated`. */
  static of(judgements: readonly Judgement[]): Decision {
    return new Decision(new Map(judgements.map((judgement) => [judgement.control, judgement])));
  }

  /** Returns a decision in which these judgements replace those of the same controls. */
  with(...judgements: readonly Judgement[]): Decision {
    return Decision.of([...this.judgements.values(), ...judgements]);
  }

  /** The verdict of every control of a task, permitted or denied. */
  get trace(): readonly Verdict[] {
    return TRACED.map((control) => verdictOf(this.judgements.get(control) ?? { control, outcome: 'not_evaluated' }));
  }

  /** The trace, and the verdicts of the controls outside it that were evaluated: all that a record keeps. */
  get verdicts(): readonly Verdict[] {
    const traced = new Set<ControlName>(TRACED);
    const controls = CONTROL_NAMES.filter((control) => traced.has(control) || this.judgements.has(control));
    return controls.map((control) => verdictOf(this.judgements.get(control) ?? { control, outcome: 'not_evaluated' }));
  }

  get permitted(): boolean {
    return this.refusal === undefined;
  }

  /** The first denial, in the order of the controls. */
  get refusal(): Refusal | undefined {
    return CONTROL_NAMES.map((name) => this.judgements.get(name)).find(isRefusal);
  }
}

/** Returns the problem of a denied request. INVARIANT: I7, an undecided request gets `unavailable`, never a grant. */
export function problemOf({ refusal }: Decision): Problem {
  if (refusal === undefined) return new Problem('unavailable', 'Mayfly could not decide the request; try again');
  const { control, detail, help, evidence = {}, problem, retryAfterSeconds, errors } = refusal;
  const { limit } = evidence as Pick<ProblemExtensions, 'limit'>;
  return new Problem(problem ?? CONTROL_FACTS[control].problem, detail, {
    control,
    ...present({ help, errors, limit, retryAfterSeconds }),
  });
}

function isRefusal(judgement: Judgement | undefined): judgement is Refusal {
  return judgement?.outcome === 'deny';
}

/** Drops the members that are not part of the public verdict. Most judgements are permits, which have nothing else. */
function verdictOf(judgement: Judgement): Verdict {
  if (isPlain(judgement)) return judgement;
  const { control, outcome, detail, help, evidence } = judgement;
  return { control, outcome, ...present({ detail, help, evidence }) };
}

function isPlain(judgement: Judgement): boolean {
  return judgement.outcome !== 'deny' && Object.keys(judgement).length === 2;
}
