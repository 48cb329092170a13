import type { Clock, ControlName, Json, JsonObject, TaskId } from '@mayfly/kernel';
import { present, Problem } from '@mayfly/kernel';
import type { DecisionRecord, DecisionStore, Verdict } from '@mayfly/policy';
import type { TaskEndCause } from '@mayfly/tasks';
import type { Assessor } from '../assessment.js';
import type { Requester } from '../request.js';
import type { StoredTask, TaskStore } from '../task.store.js';
import { RequestInputsSchema } from './decision-inputs.js';
import type { GrantedDecisions } from './granted-decision.js';
import { requesterFrom, requestFrom } from './request-inputs.js';

/** The control whose act an end is. The other ends are those of the work itself, of a person, or of a failure. */
const CONTROL_OF_END: Partial<Record<TaskEndCause, ControlName>> = {
  expired: 'lifetime',
  agent_suspended: 'agent-lifecycle',
  agent_retired: 'agent-lifecycle',
  lockdown: 'lockdown',
  parent_ended: 'delegation-parent',
};

export interface ControlTracesParts {
  readonly store: Pick<DecisionStore, 'ofTask'>;
  readonly granted: GrantedDecisions;
  readonly tasks: Pick<TaskStore, 'find'>;
  readonly assessor: Assessor;
  readonly agents: { agentNamed(name: string): Requester['agent'] | undefined };
  readonly clock: Clock;
}

/** The controls over the whole life of a task: what was permitted, what was denied, what ended it. */
export class ControlTraces {
  constructor(private readonly parts: ControlTracesParts) {}

  /** Throws `not_found` and `unavailable`. */
  async of(taskId: TaskId): Promise<JsonObject> {
    const task = await this.parts.tasks.find(taskId);
    if (task === undefined) throw new Problem('not_found', `there is no task \`${taskId}\``);
    const granted = await this.parts.granted.find(taskId);
    const decisions = [...(granted === undefined ? [] : [granted]), ...(await this.parts.store.ofTask(taskId))];
    const denied = decisions.filter(({ permitted }) => !permitted);
    return {
      ...{ taskId, state: task.state, decisions: decisions.map(stepView) },
      ...present({ ended: endView(task), failed: failedView(task, denied) }),
      shouldHaveStopped: granted === undefined ? [] : this.denialsNow(granted),
    };
  }

  /**
   * Decides the request of the task as if it were sent now, with an identity that is as fresh as it was then: a control
   * that permitted then and denies now would have stopped the task, had its facts been known.
   */
  private denialsNow({ inputs, agentName }: DecisionRecord): Json {
    const read = RequestInputsSchema.safeParse(inputs);
    if (!read.success) return [];
    const { at, identity } = read.data;
    const now = this.parts.clock.now();
    const fresh = new Date(now.getTime() + Date.parse(identity.expiresAt) - Date.parse(at));
    const before = requesterFrom(read.data);
    const agent = this.parts.agents.agentNamed(agentName) ?? { ...before.agent, state: 'retired' };
    const requester = { ...before, agent, identityExpiresAt: fresh };
    const { child: _, ...request } = requestFrom(read.data); // its parent may be long gone
    const { decision } = this.parts.assessor.assess(requester, request);
    return decision.verdicts.filter(({ outcome }) => outcome === 'deny').map((verdict) => ({ ...verdict }));
  }
}

function stepView({ id, at, phase, permitted, control, trace }: DecisionRecord): JsonObject {
  const detail = verdictOf(trace, control)?.detail;
  return { decisionId: id, at: at.toISOString(), phase, permitted, ...present({ control, detail }) };
}

function endView({ endCause, endReason, endedAt, endRequestedAt }: StoredTask): JsonObject | undefined {
  if (endCause === undefined) return undefined;
  return {
    cause: endCause,
    ...present({ control: CONTROL_OF_END[endCause], reason: endReason }),
    ...present({ requestedAt: endRequestedAt?.toISOString(), endedAt: endedAt?.toISOString() }),
  };
}

/** The control that answers for the task: the one that ended it, otherwise the one that denied last. */
function failedView({ endCause }: StoredTask, denied: readonly DecisionRecord[]): JsonObject | undefined {
  const ending = endCause === undefined ? undefined : CONTROL_OF_END[endCause];
  // A task also expires because its renewal was denied.
  const last = denied
    .filter(({ control }) => endCause === 'expired' || ending === undefined || control === ending)
    .at(-1);
  if (last !== undefined) return failure(last);
  return ending === undefined ? undefined : { control: ending };
}

function failure({ id, control, trace }: DecisionRecord): JsonObject {
  return { control, decisionId: id, ...present({ detail: verdictOf(trace, control)?.detail }) };
}

function verdictOf(trace: readonly Verdict[], control: ControlName | undefined): Verdict | undefined {
  return trace.find((verdict) => verdict.control === control);
}
