import type { LockdownScope } from '@mayfly/tasks';

/** The tasks to end: under a lockdown, or of one agent by its id. */
export type EndingScope = LockdownScope | { readonly kind: 'agent-id'; readonly name: string };

/** A condition over the rows `t` of `task`, with its parameters from $1 on. */
export interface TaskSelector {
  readonly where: string;
  readonly values: readonly string[];
}

const USES = 'EXISTS (SELECT FROM public.lease l WHERE l.task_id = t.id AND l.connection = $1)';
const OWNED = `(
  EXISTS (SELECT FROM public.agent a WHERE a.name = t.agent_name AND a.spec->>'owner' = $1)
  OR EXISTS (SELECT FROM public.template_version v
           WHERE v.name = t.template_name AND v.version = t.template_version AND v.spec->>'owner' = $1)
  OR EXISTS (SELECT FROM public.lease l JOIN public.connection c ON c.name = l.connection
              WHERE l.task_id = t.id AND c.spec->>'owner' = $1))`;

const CONDITIONS: Readonly<Record<Exclude<EndingScope['kind'], 'all'>, string>> = {
  task: 't.id = $1',
  tree: 'coalesce(t.root_id, t.id) = $1',
  agent: 't.agent_name = $1',
  'agent-id': 't.agent_id = $1',
  template: 't.template_name = $1',
  owner: OWNED,
  runtime: 't.runtime = $1',
  issuer: 't.issuer = $1',
  connection: USES,
};

/**
 * Returns the condition of the tasks that a scope covers. It says the same as `guards_of`, and reads only what its kind
 * needs. A test compares both.
 */
export function taskSelector({ kind, name }: EndingScope): TaskSelector {
  return kind === 'all' ? { where: 'true', values: [] } : { where: CONDITIONS[kind], values: [name] };
}
