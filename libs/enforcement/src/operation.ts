import type { ControlName, DecisionId } from '@mayfly/kernel';
import type { UseAmounts, UseUnit } from '@mayfly/tasks';

/** One operation that an enforcement point asks about, before it does it. */
export interface Operation {
  /** the task token, or an access token that Mayfly signed */
  readonly token: string;
  readonly operation: string;
  readonly target: string;
  readonly amounts: UseAmounts;
  /** a digest of the arguments by the enforcement point; it is recorded, and not judged */
  readonly argumentsDigest?: string;
  /** the enforcement point's own id of its request: the same id within a minute is the same use */
  readonly requestId?: string;
}

/** A limit of uses, and what the commit left of it. */
export interface LeftOfLimit {
  readonly limit: number;
  readonly left: number;
}

/** The answer to one operation. The enforcement point does it only if `decision` is true. */
export interface OperationAnswer {
  readonly decision: boolean;
  readonly decisionId: DecisionId;
  /** the control that denied */
  readonly control?: ControlName;
  readonly detail?: string;
  /** of calls; absent when nothing limits them */
  readonly uses?: LeftOfLimit;
  /** of the other limited units */
  readonly units?: Readonly<Partial<Record<Exclude<UseUnit, 'calls'>, LeftOfLimit>>>;
  readonly retryAfterSeconds?: number;
}
