import type { ControlName, JsonObject } from '@mayfly/kernel';
import type { DecisionRecord, Verdict } from '@mayfly/policy';

/** Returns a record of a decision. */
export function decisionView(record: DecisionRecord): JsonObject {
  const { id, at, phase, taskId, agentId, agentName, runtime, templateName, templateVersion } = record;
  return {
    ...{ id, at: at.toISOString(), phase, taskId },
    agent: { id: agentId, name: agentName },
    runtime,
    template: { name: templateName, version: templateVersion },
    ...outcomeView(record.control, record.trace),
    inputs: record.inputs,
    inputsDigest: record.inputsDigest,
    policyDigest: record.policyDigest,
  };
}

/** Returns the outcome of a decision: these members are compared when it is made again. */
export function outcomeView(control: ControlName | undefined, trace: readonly Verdict[]): JsonObject {
  return {
    permitted: control === undefined,
    ...(control === undefined ? {} : { control }),
    trace: trace.map((verdict) => ({ ...verdict })),
  };
}
