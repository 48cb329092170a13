import {
  CONTROL_NAMES,
  present,
  Problem,
  type ControlName,
  type JsonObject,
  type ProblemCode,
  type ProblemExtensions,
} from '@mayfly/kernel';
import { CONTROL_FACTS } from './control-facts.js';

/** What one control says of a request. Everything in it may be shown to the caller and stored. */
export interface Verdict {
  readonly control: ControlName;
  readonly outcome: 'permit' | 'deny' | 'not_evaluated';
  /** why it denies; lower case, no final stop */
  readonly detail?: string;
  /** what would help the caller, where that may be known */
  readonly help?: string;
  /** what the verdict stands on: a limit, the wrong fields, the lifetime that was granted */
  readonly evidence?: JsonObject;
}

/** A denial, with what its problem document says beside the verdict. */
export interface Denial extends Verdict {
  readonly outcome: 'deny';
  readonly detail: string;
  /** where it is not the code of the control's facts */
  readonly problem?: ProblemCode;
  readonly retryAfterSeconds?: number;
}

export type Judgement = Verdict | Denial;

const TRACED = CONTROL_NAMES.filter((name) => CONTROL_FACTS[name].inTrace);

/** One control permits. */
export const permit = (control: ControlName, evidence?: JsonObject): Verdict => ({
  control,
  outcome: 'permit',
  ...(evidence === undefined ? {} : { evidence }),
});

/** One control denies. */
export const deny = (control: ControlName, detail: string, more: Omit<Denial, 'control' | 'outcome' | 'detail'> = {}) =>
  ({ control, outcome: 'deny', detail, ...more }) as const satisfies Denial;

/**
 * The decision on one request: the verdict of every control of a task, in the order of `CONTROL_NAMES`. Audit entries, dry
 * runs and problem documents are views of it. It is a value: `with` answers another one.
 */
export class Decision {
  private constructor(private readonly judgements: ReadonlyMap<ControlName, Judgement>) {}

  /** Controls without a judgement are `not_evaluated`. */
  static of(judgements: readonly Judgement[]): Decision {
    return new Decision(new Map(judgements.map((judgement) => [judgement.control, judgement])));
  }

  /** The same decision with other judgements of the named controls. */
  with(...judgements: readonly Judgement[]): Decision {
    return Decision.of([...this.judgements.values(), ...judgements]);
  }

  /** Every control of a task with its verdict, whether permitted or denied. */
  get trace(): readonly Verdict[] {
    return TRACED.map((control) => verdictOf(this.judgements.get(control) ?? { control, outcome: 'not_evaluated' }));
  }

  get permitted(): boolean {
    return this.refusal === undefined;
  }

  /** The first denial in the order of the controls. */
  get refusal(): Denial | undefined {
    return CONTROL_NAMES.map((name) => this.judgements.get(name)).find(isDenial);
  }
}

/**
 * The problem that a denied request is answered with. INVARIANT: I7, a decision that is no permission and has no denial is
 * answered with `unavailable`: nothing is granted on a guess.
 */
export function problemOf({ refusal }: Decision): Problem {
  if (refusal === undefined) return new Problem('unavailable', 'the request could not be decided; try again');
  const { control, detail, help, evidence = {}, problem, retryAfterSeconds } = refusal;
  const { errors, limit } = evidence as Pick<ProblemExtensions, 'errors' | 'limit'>;
  return new Problem(problem ?? CONTROL_FACTS[control].problem, detail, {
    control,
    ...present({ help, errors, limit, retryAfterSeconds }),
  });
}

function isDenial(judgement: Judgement | undefined): judgement is Denial {
  return judgement?.outcome === 'deny';
}

/** The public members alone. */
function verdictOf({ control, outcome, detail, help, evidence }: Judgement): Verdict {
  return { control, outcome, ...present({ detail, help, evidence }) };
}
