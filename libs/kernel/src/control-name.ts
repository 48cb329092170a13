/**
 * All controls: the controls of a task first, in the order of the trace, then the controls of single steps.
 * `CONTROL_FACTS` in `policy` and docs/controls.md describe each.
 */
export const CONTROL_NAMES = [
  'identity',
  'permission',
  'lockdown',
  'template-lifecycle',
  'parameters',
  'agent-lifecycle',
  'template-requesters',
  'runtime-boundary',
  'lifetime',
  'connection-state',
  'decision-point',
  'quota-concurrent-tasks',
  'quota-tasks-per-minute',
  'policy',
  'connection-capacity',
  'delegation-parent',
  'delegation-template',
  'delegation-depth',
  'delegation-children',
  'delegation-cycle',
  'delegation-scope',
  'delegation-lifetime',
  'delegation-acceptor',
  'delegation-pending',
  'task-token',
  'operation-scope',
  'quota-uses',
  'uses-per-minute',
  'four-eyes',
  'ownership',
  'lockdown-release',
  'lockdown-of-oneself',
  'issuer-roles',
] as const;

export type ControlName = (typeof CONTROL_NAMES)[number];
