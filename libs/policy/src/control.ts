import type { Labels } from '@mayfly/kernel';

/** What the controls look at. Plain data, so that a stored decision can be replayed. */
export interface DecisionInput {
  readonly agent: { readonly name: string; readonly state: string; readonly labels: Labels };
  readonly runtime: string;
  readonly template: {
    readonly name: string;
    readonly version: number;
    readonly requesters: { readonly agents: Labels; readonly runtimes: readonly string[] };
  };
}

export type ControlName =
  | 'agent-lifecycle'
  | 'template-requesters'
  | 'runtime-boundary'
  | 'parameters'
  | 'lifetime'
  | 'quota-tasks-per-minute'
  | 'quota-concurrent-tasks'
  | 'template-lifecycle';

/** One control's verdict. `help` says what would help the caller, where that may be known. */
export interface Verdict {
  readonly control: ControlName;
  readonly outcome: 'permit' | 'deny';
  readonly detail?: string;
  readonly help?: string;
}

/** A control is a pure function of the input. */
export type Control = (input: DecisionInput) => Verdict;

const permit = (control: ControlName): Verdict => ({ control, outcome: 'permit' });

const agentLifecycle: Control = ({ agent }) =>
  agent.state === 'active'
    ? permit('agent-lifecycle')
    : {
        control: 'agent-lifecycle',
        outcome: 'deny',
        detail: `agent \`${agent.name}\` is ${agent.state}`,
        help: 'ask the owner of the agent to have it activated',
      };

const templateRequesters: Control = ({ agent, template }) =>
  Object.entries(template.requesters.agents).every(([label, value]) => agent.labels[label] === value)
    ? permit('template-requesters')
    : {
        control: 'template-requesters',
        outcome: 'deny',
        detail: `template \`${template.name}\` is not for agent \`${agent.name}\``,
        help: '`GET /me` lists the templates that this agent may ask for',
      };

const runtimeBoundary: Control = ({ runtime, template }) =>
  template.requesters.runtimes.includes(runtime)
    ? permit('runtime-boundary')
    : {
        control: 'runtime-boundary',
        outcome: 'deny',
        detail: `template \`${template.name}\` may not be used from runtime \`${runtime}\``,
        help: 'run the task where the template allows it, or ask its owner to add this runtime',
      };

/** The built-in controls, in the fixed order in which they are evaluated and reported. */
export const CONTROLS: readonly Control[] = [agentLifecycle, templateRequesters, runtimeBoundary];
