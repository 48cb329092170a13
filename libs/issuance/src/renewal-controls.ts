import type { Targets } from '@mayfly/credentials';
import { digestOf, type Json } from '@mayfly/kernel';
import { deny, type Judgement } from '@mayfly/policy';
import type { Assessment } from './assessment.js';
import { judged } from './judged.js';

/** The members of a running task that a renewal is judged by. */
export interface RenewedTask {
  readonly runtime: string;
  readonly template: { readonly name: string };
  readonly leases: readonly { readonly name: string; readonly connection?: string; readonly scope: Json }[];
}

/** Judges what a renewal needs besides a new request: the runtime, the connections and the scopes of the task. */
export function judgeRenewal(
  runtime: string,
  task: RenewedTask,
  assessment: Assessment,
  targets: Pick<Targets, 'requireEnabled'>,
): readonly Judgement[] {
  return [...judgeRuntime(runtime, task), ...judgeConnections(task, targets), ...judgeScopes(task, assessment)];
}

function judgeRuntime(runtime: string, task: RenewedTask): readonly Judgement[] {
  if (runtime === task.runtime) return [];
  const detail = `the task runs in runtime \`${task.runtime}\`, not in \`${runtime}\``;
  return [deny('runtime-boundary', detail, { help: 'renew from the runtime that started the task' })];
}

/** Denies when a connection of a lease is disabled. The template in force may name other connections. */
function judgeConnections({ leases }: RenewedTask, targets: Pick<Targets, 'requireEnabled'>): readonly Judgement[] {
  const { judgement } = judged('connection-state', () => {
    for (const { connection } of leases) targets.requireEnabled(connection);
  });
  return judgement.outcome === 'deny' ? [judgement] : [];
}

/** Denies unless the template version in force grants exactly the scopes that the task holds. */
function judgeScopes({ template, leases }: RenewedTask, assessment: Assessment): readonly Judgement[] {
  if (!assessment.permitted) return [];
  const scopes = new Map(assessment.scopes.map(({ name, digest }) => [name, digest]));
  if (leases.every(({ name, scope }) => scopes.get(name) === digestOf(scope))) return [];
  const detail = `template \`${template.name}\` no longer grants the scopes of this task`;
  return [deny('template-lifecycle', detail, { help: 'complete this task and ask for a new one' })];
}
