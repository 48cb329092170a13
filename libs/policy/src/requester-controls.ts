import type { Labels } from '@mayfly/kernel';
import { deny, permit, type Judgement } from './decision.js';

/** The input of the controls on a requester. Plain data, so that a stored decision can be replayed. */
export interface DecisionInput {
  readonly agent: { readonly name: string; readonly state: string; readonly labels: Labels };
  readonly runtime: string;
  readonly template: {
    readonly name: string;
    readonly version: number;
    readonly requesters: { readonly agents: Labels; readonly runtimes: readonly string[] };
  };
}

/** A pure function of the input. */
type Control = (input: DecisionInput) => Judgement;

const agentLifecycle: Control = ({ agent }) =>
  agent.state === 'active'
    ? permit('agent-lifecycle')
    : deny('agent-lifecycle', `agent \`${agent.name}\` is ${agent.state}`, {
        help: 'ask an operator to activate the agent',
      });

const templateRequesters: Control = ({ agent, template }) =>
  Object.entries(template.requesters.agents).every(([label, value]) => agent.labels[label] === value)
    ? permit('template-requesters')
    : deny('template-requesters', `template \`${template.name}\` is not for agent \`${agent.name}\``, {
        help: '`GET /me` lists the templates that this agent may ask for',
      });

const runtimeBoundary: Control = ({ runtime, template }) =>
  template.requesters.runtimes.includes(runtime)
    ? permit('runtime-boundary')
    : deny('runtime-boundary', `template \`${template.name}\` may not be used from runtime \`${runtime}\``, {
        help: 'run the task where the template allows it, or ask its owner to add this runtime',
      });

/**
 * Evaluates the built-in controls on agent, runtime and template. Evaluates all of them, so that the trace is complete.
 */
export function judgeRequester(input: DecisionInput): readonly Judgement[] {
  return [agentLifecycle, templateRequesters, runtimeBoundary].map((control) => control(input));
}
