import type { AgentId, LockdownId, TaskId } from '@mayfly/kernel';
import type { EngagedLockdown, LockdownKind } from '@mayfly/tasks';
import type { CompiledTemplate } from '@mayfly/templates';
import type { ChildRequest, HeldScope, Requester, TaskRequest } from '../request.js';
import { type DeclaredFacts, type FactSet, factsJson } from './declared-facts.js';
import type { RequestInputs } from './decision-inputs.js';

/** The facts that steps 3 to 6 read besides the request. */
export interface ReadByAssessment {
  readonly at: Date;
  readonly facts: FactSet;
  readonly template?: CompiledTemplate;
  readonly lockdown?: EngagedLockdown;
}

type More = Partial<Pick<RequestInputs, 'commit' | 'task' | 'delegation'>>;

/** Returns the inputs of a decision on a request. */
export function requestInputs(
  requester: Requester,
  request: TaskRequest,
  read: ReadByAssessment,
  more: More = {},
): RequestInputs {
  const { lockdown } = read;
  return {
    ...commonInputs(requester, read),
    request: askedInputs(request),
    lockdown: lockdown === undefined ? null : { id: lockdown.id, ...lockdown.scope },
    parent: request.child === undefined ? null : parentInputs(request.child),
    ...{ delegation: null, task: null, commit: null, ...more },
  };
}

/** Returns the inputs that every decision has. */
export function commonInputs(
  { runtime, issuer, subject, identityExpiresAt }: Requester,
  { at, facts, template }: Pick<ReadByAssessment, 'at' | 'facts' | 'template'>,
) {
  return {
    at: at.toISOString(),
    ...(factsJson(facts.facts) as Pick<RequestInputs, 'agent' | 'connections'>),
    runtime,
    identity: { issuer, subject, expiresAt: identityExpiresAt.toISOString() },
    template: template === undefined ? null : templateInputs(template.version),
  };
}

function templateInputs({ name, version, digest }: CompiledTemplate['version']) {
  return { name, version, digest };
}

export function askedInputs({
  template,
  parameters,
  purpose,
  ttlSeconds,
}: Pick<TaskRequest, 'template' | 'parameters' | 'purpose'> & { readonly ttlSeconds?: number | undefined }) {
  return {
    template,
    parameters: parameters as RequestInputs['request']['parameters'],
    purpose,
    ttlSeconds: ttlSeconds ?? null,
  };
}

export function heldInputs(held: readonly HeldScope[]) {
  return held.map(({ provider, connection, scope }) => ({
    ...{ provider, connection: connection ?? null, scope: scope as RequestInputs['request']['parameters'] },
  }));
}

function parentInputs({ taskId, origin, expiresAt, maxExpiresAt, held }: ChildRequest): RequestInputs['parent'] {
  const { parentId, rootId, depth } = origin;
  const until = { expiresAt: expiresAt.toISOString(), maxExpiresAt: maxExpiresAt.toISOString() };
  return { taskId, parentId, rootId, depth, ...until, held: heldInputs(held) };
}

/** Returns the requester of stored inputs. */
export function requesterFrom({
  agent,
  runtime,
  identity,
}: Pick<RequestInputs, 'agent' | 'runtime' | 'identity'>): Requester {
  const { issuer, subject, expiresAt } = identity;
  return {
    ...{ agent: { ...agent, id: agent.id as AgentId }, runtime, issuer, subject },
    identityExpiresAt: new Date(expiresAt),
  };
}

/** Returns the request of stored inputs. */
export function requestFrom({ request, parent }: RequestInputs): TaskRequest {
  const { template, parameters, purpose, ttlSeconds } = request;
  return {
    ...{ template, parameters: parameters, purpose, ...(ttlSeconds === null ? {} : { ttlSeconds }) },
    ...(parent === null ? {} : { child: childFrom(parent) }),
  };
}

function childFrom(parent: NonNullable<RequestInputs['parent']>): ChildRequest {
  const { parentId, rootId, depth } = parent;
  return {
    taskId: parent.taskId as TaskId,
    origin: { parentId: parentId as TaskId, rootId: rootId as TaskId, depth, actors: [] },
    ...{ expiresAt: new Date(parent.expiresAt), maxExpiresAt: new Date(parent.maxExpiresAt) },
    held: heldFrom(parent.held),
  };
}

export function heldFrom(held: NonNullable<RequestInputs['parent']>['held']): readonly HeldScope[] {
  return held.map(({ provider, connection, scope }) => ({
    ...{ provider, connection: connection ?? undefined, scope: scope },
  }));
}

/** Returns the declared facts of stored inputs. The owners of connections belong to no decision. */
export function factsFrom({ agent, connections }: Pick<RequestInputs, 'agent' | 'connections'>): DeclaredFacts {
  return {
    agent: { ...agent, id: agent.id as AgentId },
    connections: connections.map(({ name, provider, config, disabled }) => ({
      ...{ name, spec: { provider, owner: '', config: config as Record<string, never> } },
      ...(disabled ? { disabled } : {}),
    })),
  };
}

export function lockdownFrom(lockdown: RequestInputs['lockdown']): EngagedLockdown | undefined {
  if (lockdown === null) return undefined;
  const { id, kind, name } = lockdown;
  return { id: id as LockdownId, scope: { kind: kind as LockdownKind, name } };
}
