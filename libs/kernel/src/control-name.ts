/**
 * Every control of Mayfly, in the order in which a task meets them. The facts of each are in `policy` (`CONTROL_FACTS`) and
 * in docs/controls.md.
 */
export const CONTROL_NAMES = [
  'identity',
  'permission',
  'template-lifecycle',
  'parameters',
  'agent-lifecycle',
  'template-requesters',
  'runtime-boundary',
  'lifetime',
  'connection-state',
  'quota-concurrent-tasks',
  'quota-tasks-per-minute',
  'connection-capacity',
  'four-eyes',
  'issuer-roles',
] as const;

export type ControlName = (typeof CONTROL_NAMES)[number];
