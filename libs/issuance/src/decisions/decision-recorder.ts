import { canonicalJson, digestOf, type JsonObject, newId, type TaskId } from '@mayfly/kernel';
import type { Decision, DecisionPhase, DecisionRecord } from '@mayfly/policy';
import type { CompiledTemplate } from '@mayfly/templates';
import type { Requester } from '../request.js';
import type { DecisionInputs } from './decision-inputs.js';
import { keptParameters } from './kept-parameters.js';

/** The basis of a decision: its inputs, with the template that they name. */
export interface DecidedOn {
  readonly phase: DecisionPhase;
  /** the task that the decision is about, if there is one */
  readonly taskId?: TaskId;
  readonly inputs: DecisionInputs;
  /** the version in force of the template that was asked for */
  readonly template: CompiledTemplate | undefined;
}

/** Makes the records of decisions. */
export class DecisionRecorder {
  /** `redact` replaces what looks like a secret. */
  constructor(private readonly redact: (text: string) => string) {}

  record(requester: Requester, decision: Decision, { phase, taskId, inputs, template }: DecidedOn): DecisionRecord {
    const kept = this.keepable(inputs, template);
    const { refusal } = decision;
    return {
      ...{ id: newId('dec'), at: new Date(inputs.at), phase, ...(taskId === undefined ? {} : { taskId }) },
      ...{ agentId: requester.agent.id, agentName: requester.agent.name, runtime: requester.runtime },
      ...{ templateName: inputs.request.template, permitted: refusal === undefined },
      ...(inputs.template === null ? {} : { templateVersion: inputs.template.version }),
      ...(refusal === undefined ? {} : { control: refusal.control }),
      ...{ trace: decision.verdicts, inputs: kept, inputsDigest: digestOf(kept) },
    };
  }

  private keepable(inputs: DecisionInputs, template: CompiledTemplate | undefined): JsonObject {
    const { parameters, isChanged } = keptParameters(inputs.request.parameters, template, this.redact);
    const kept = { ...inputs, request: { ...inputs.request, parameters }, ...(isChanged ? { withheld: true } : {}) };
    return JSON.parse(canonicalJson(kept)) as JsonObject;
  }
}
