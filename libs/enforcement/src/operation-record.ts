import { type DecisionId, digestOf, type JsonObject, present } from '@mayfly/kernel';
import type { DecisionRecord, Judgement, Verdict } from '@mayfly/policy';
import type { KnownTask } from './known-tasks.js';
import type { Operation } from './operation.js';
import type { ShownToken } from './shown-tokens.js';
import type { AskingIdentity } from './resource-servers.js';

/** Port: keeps the records of decisions on operations. */
export interface OperationRecords {
  /**
   * Writes a record and, in the same commit, the audit entry of its batch with the digest of the records. Throws
   * `unavailable`; then the decision must not be told as a permit.
   */
  record(record: DecisionRecord): Promise<void>;
}

/** The controls of an operation, in the order of the trace. */
const TRACED = ['task-token', 'operation-scope', 'quota-uses', 'uses-per-minute'] as const;

/** The facts of one decision on an operation. */
export interface DecidedOperation {
  readonly id: DecisionId;
  readonly at: Date;
  readonly task: KnownTask;
  readonly shown: ShownToken;
  readonly caller: AskingIdentity & { readonly issuer: string };
  readonly operation: Pick<Operation, 'operation' | 'target' | 'amounts' | 'argumentsDigest' | 'requestId'>;
  readonly judgements: readonly Judgement[];
  /** the kind of the verdict on the use, if one was asked for */
  readonly use?: string;
}

/** Returns the record of a decision. INVARIANT: I10, it has no token; the target is redacted by the caller. */
export function operationRecord({ id, at, task, judgements, ...decided }: DecidedOperation): DecisionRecord {
  const byControl = new Map(judgements.map((judgement) => [judgement.control, judgement]));
  const trace = TRACED.map((control) => verdictOf(byControl.get(control)) ?? notEvaluated(control));
  const denial = trace.find(({ outcome }) => outcome === 'deny');
  const inputs = inputsOf(task, decided);
  return {
    ...{ id, at, phase: 'operate', taskId: task.id, agentId: task.agent.id, agentName: task.agent.name },
    ...{ runtime: task.runtime, templateName: task.template.name, templateVersion: task.template.version },
    ...{ permitted: denial === undefined, trace, inputs, inputsDigest: digestOf(inputs) },
    ...present({ control: denial?.control }),
  };
}

function inputsOf(
  { counters }: KnownTask,
  { shown, caller, operation, use }: Pick<DecidedOperation, 'shown' | 'caller' | 'operation' | 'use'>,
): JsonObject {
  const { amounts, argumentsDigest, requestId } = operation;
  return {
    operation: operation.operation,
    target: operation.target,
    uses: { ...amounts },
    limits: counters.map(({ taskId, limits }) => ({ taskId, total: { ...limits.total }, ...perMinute(limits) })),
    enforcementPoint: { issuer: caller.issuer, subject: caller.subject },
    ...present({ leaseId: shown.leaseId, argumentsDigest, requestId, use }),
  };
}

function perMinute({ callsPerMinute }: KnownTask['counters'][number]['limits']) {
  return present({ callsPerMinute });
}

function notEvaluated(control: (typeof TRACED)[number]): Verdict {
  return { control, outcome: 'not_evaluated' };
}

/** Drops the members of a denial that are not part of the verdict. A permit has none. */
function verdictOf(judgement: Judgement | undefined): Verdict | undefined {
  if (judgement?.outcome !== 'deny') return judgement;
  const { control, outcome, detail, help, evidence } = judgement;
  return { control, outcome, ...present({ detail, help, evidence }) };
}
