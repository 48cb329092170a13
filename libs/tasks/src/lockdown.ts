import type { LockdownId, TaskId } from '@mayfly/kernel';

/**
 * The kinds of things that a lockdown can cover. `owner` covers the agents, templates and connections that a team owns, `runtime` and `issuer`
 * the tasks whose agent proved its identity there.
 */
export const LOCKDOWN_KINDS = [
  'task',
  'tree',
  'agent',
  'template',
  'owner',
  'runtime',
  'issuer',
  'connection',
  'all',
] as const;

export type LockdownKind = (typeof LOCKDOWN_KINDS)[number];

/** The tasks that a lockdown covers. The kind `all` has the empty name. */
export interface LockdownScope {
  readonly kind: LockdownKind;
  readonly name: string;
}

/** A lockdown that denies now. */
export interface EngagedLockdown {
  readonly id: LockdownId;
  readonly scope: LockdownScope;
}

/** The members of a task, stored or requested, that a lockdown may name. */
export interface LockdownSubject {
  /** absent while the task is only requested */
  readonly taskId?: TaskId;
  /** the root of its tree: the task itself, if nobody handed it on */
  readonly rootId?: TaskId;
  readonly agent: string;
  readonly template: string;
  /** the owners of the agent, of the template and of the connections */
  readonly owners: readonly string[];
  readonly runtime: string;
  readonly issuer: string;
  readonly connections: readonly string[];
}

/** True when a lockdown of the scope covers the task. The function `guards_of` in the database has the same rule. */
export function covers({ kind, name }: LockdownScope, subject: LockdownSubject): boolean {
  return kind === 'all' || MEMBERS[kind](subject).includes(name);
}

/** The names in a task that a lockdown of each kind may have. */
const MEMBERS: Readonly<Record<Exclude<LockdownKind, 'all'>, (subject: LockdownSubject) => readonly string[]>> = {
  task: ({ taskId = '' }) => [taskId],
  tree: ({ rootId, taskId = '' }) => [rootId ?? taskId],
  agent: ({ agent }) => [agent],
  template: ({ template }) => [template],
  owner: ({ owners }) => owners,
  runtime: ({ runtime }) => [runtime],
  issuer: ({ issuer }) => [issuer],
  connection: ({ connections }) => connections,
};

/** Returns the scope in words, as denials and lists say it. */
export function scopeWords({ kind, name }: LockdownScope): string {
  return kind === 'all' ? 'everything' : `${kind} \`${name}\``;
}
