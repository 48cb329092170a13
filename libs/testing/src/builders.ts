import { bareEntry } from './bare-entry.js';
import type { LeaseIntent, Requester, TaskActivation, TaskIntent } from '@mayfly/issuance';
import { addSeconds, type AgentId, type Clock, digestOf, newId } from '@mayfly/kernel';
import { dueAt, type QuotaLimits, quotaScope, type Task } from '@mayfly/tasks';
import { CompiledTemplate, type TaskTemplateSpec } from '@mayfly/templates';
import type { TaskScene } from './task-stores.js';

const AGENT = { id: newId('agt'), name: 'support-agent' };
const ACTOR = { kind: 'agent', name: AGENT.name, runtime: 'cluster' } as const;
/** Limits that no test reaches unless it tests quota. */
const AMPLE: QuotaLimits = { tasksPerMinute: 1_000, concurrentTasks: 1_000 };

export interface IntentOptions {
  readonly agentId?: AgentId;
  readonly template?: { readonly name: string; readonly version: number };
  /** one lease for each connection */
  readonly connections?: readonly string[];
  readonly quota?: Partial<QuotaLimits>;
  readonly lifetimeSeconds?: number;
  readonly maxLifetimeSeconds?: number;
  readonly heartbeatTimeoutSeconds?: number;
  /** `active` is the first state of leases of providers without remote effect */
  readonly leaseState?: 'minting' | 'active';
  readonly createdAt?: Date;
}

/** Makes the intent of step 9 for a task of the support agent, created now, with one lease of ten minutes. */
export function taskIntent(clock: Clock, options: IntentOptions = {}): TaskIntent {
  const task = newTask(options.createdAt ?? clock.now(), options);
  const leases = (options.connections ?? ['crm']).map((connection) => leaseOf(task, connection, options));
  const subject = { taskId: task.id, agent: task.agent.name };
  return {
    task,
    issuer: 'cluster',
    subject: 'system:serviceaccount:support:agent',
    leases,
    quota: { scope: quotaScope(task.template.name), limits: { ...AMPLE, ...options.quota } },
    audit: [bareEntry('task.granted', task.createdAt, ACTOR, subject, {})],
    wakeUps: [],
  };
}

function newTask(createdAt: Date, options: IntentOptions): Task {
  const lifetime = options.lifetimeSeconds ?? 600;
  const timeout = options.heartbeatTimeoutSeconds;
  return {
    id: newId('tsk'),
    state: 'active',
    agent: { id: options.agentId ?? AGENT.id, name: AGENT.name },
    runtime: ACTOR.runtime,
    template: options.template ?? { name: 'read-cases', version: 1 },
    parameters: { region: 'emea' },
    purpose: 'answer ticket 4711',
    createdAt,
    expiresAt: addSeconds(createdAt, lifetime),
    maxExpiresAt: addSeconds(createdAt, options.maxLifetimeSeconds ?? lifetime * 3),
    ...(timeout === undefined ? {} : { heartbeatTimeoutSeconds: timeout, heartbeatAt: createdAt }),
  };
}

function leaseOf(task: Task, connection: string, { leaseState = 'minting' }: IntentOptions): LeaseIntent {
  const id = newId('lse');
  const mintBy = addSeconds(task.createdAt, 10);
  const scope = { permissions: ['cases:read'] };
  return {
    id,
    taskId: task.id,
    name: connection,
    provider: 'dummy',
    connection,
    revocation: 'immediate',
    state: leaseState,
    scope,
    scopeDigest: digestOf(scope),
    sealedHandle: Buffer.from(`handle of ${id}`),
    createdAt: task.createdAt,
    mintBy,
    expiresAt: task.expiresAt,
    dueAt: leaseState === 'minting' ? addSeconds(mintBy, 2) : dueAt(task, task.createdAt),
    attempts: 0,
  };
}

/** Makes the activation of step 11 for an intent whose leases were all minted. */
export function activationOf({ task, leases }: TaskIntent): TaskActivation {
  const due = dueAt(task, task.createdAt);
  return {
    taskId: task.id,
    leases: leases.map(({ id }) => ({
      id,
      sealedHandle: Buffer.from(`completed handle of ${id}`),
      providerExpiresAt: task.expiresAt,
      dueAt: due,
    })),
    audit: leases.map(({ id }) =>
      bareEntry('lease.issued', task.createdAt, ACTOR, { taskId: task.id, leaseId: id }, {}),
    ),
    wakeUps: leases.map(({ id }) => ({ leaseId: id, reason: 'due', runAt: due })),
  };
}

/** Makes the intent grantable: activates its agent and puts its template version in force. */
export async function declareFor(scene: TaskScene, { task }: TaskIntent): Promise<void> {
  await scene.setAgent(task.agent.id, 'active');
  await scene.setTemplate(task.template.name, task.template.version);
}

/** Makes a template with one credential of the dummy target; `changes` replace members of its spec. */
export function templateOf(changes: Partial<TaskTemplateSpec> = {}, version = 1): CompiledTemplate {
  const spec: TaskTemplateSpec = {
    description: 'Read the cases of one region.',
    owner: 'support-platform',
    backupOwner: 'crm-platform',
    review: { by: 'security', everyDays: 90 },
    requesters: { agents: { duty: 'support' }, runtimes: ['cluster'] },
    parameters: {
      type: 'object',
      properties: { region: { enum: ['emea', 'apac'] } },
      required: ['region'],
      additionalProperties: false,
    },
    lifetime: { defaultSeconds: 600, maxSeconds: 1_800 },
    quota: AMPLE,
    credentials: [
      { name: 'crm', provider: 'dummy', connection: 'crm', scope: { permissions: [{ $param: 'region' }] } },
    ],
    ...changes,
  };
  return new CompiledTemplate({ name: 'read-cases', version, spec, digest: digestOf(spec), labels: {} });
}

/** Returns the support agent, proven for the next hour. */
export function requesterAt(now: Date, changes: Partial<Requester> = {}): Requester {
  return {
    agent: { ...AGENT, state: 'active', labels: { duty: 'support' } },
    runtime: ACTOR.runtime,
    issuer: 'cluster',
    subject: 'system:serviceaccount:support:agent',
    identityExpiresAt: addSeconds(now, 3_600),
    ...changes,
  };
}
