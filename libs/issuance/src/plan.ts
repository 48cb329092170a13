import { type Actor, auditEntry, type AuditEntry } from '@mayfly/audit';
import {
  type ConnectionGates,
  type EffectiveTraits,
  type Minted,
  type MintOrder,
  parseValue,
  sealHandle,
  sharedRevocation,
  type Sealing,
  type Target,
  type Targets,
} from '@mayfly/credentials';
import {
  addSeconds,
  earliest,
  type Json,
  type JsonObject,
  type LeaseId,
  newId,
  Problem,
  type TaskId,
} from '@mayfly/kernel';
import { dueAt, quotaScope, type Task } from '@mayfly/tasks';
import type { RenderedCredential } from '@mayfly/templates';
import type { PermittedRequest } from './assessment.js';
import type { LeaseIntent, TaskIntent, WakeUp } from './issuance.store.js';
import { narrowedQuota, QUOTA_TAKEN } from './quota-control.js';
import type { ChildRequest, Requester, TaskRequest } from './request.js';

/** The time for minting, from the intent on. Providers guarantee that no credential comes into existence later. */
export const MINT_DEADLINE_SECONDS = 10;
/** The time after `mintBy` at which an unfinished mint is treated as lost and is revoked. */
const MINT_SLACK_SECONDS = 2;

/** One planned lease: the credential that the mint will create, and its target. */
export interface PlannedLease {
  readonly id: LeaseId;
  readonly name: string;
  readonly connection: string | undefined;
  /** the scope as rendered from the template; this form is stored, shown and compared */
  readonly scope: Json;
  readonly scopeDigest: string;
  readonly target: Target;
  readonly traits: EffectiveTraits;
  readonly order: MintOrder<unknown, Json>;
  readonly handle: JsonObject;
  readonly sealedHandle: Buffer;
  /** true when Mayfly uses the credential after its end, to show that it is dead */
  readonly probe?: true;
}

interface PlannedTask {
  readonly task: Task;
  readonly requester: Requester;
  readonly request: TaskRequest;
  readonly assessment: PermittedRequest;
  readonly leases: readonly PlannedLease[];
}

/** A plan with at least one lease that leaves something at a target: the intent is committed before any mint. */
export type RemotePlan = PlannedTask & { readonly remote: true };

/** A plan whose leases leave nothing at a target: intent and activation are one commit. */
export type LocalPlan = PlannedTask & { readonly remote: false };

/** A task with its planned leases, before any effect. */
export type Plan = RemotePlan | LocalPlan;

/** Step 7: names each credential and its handle before the mint. Reads connections; has no effect. */
export class Planner {
  constructor(
    private readonly targets: Targets,
    private readonly sealing: Sealing,
    private readonly gates: ConnectionGates,
  ) {}

  /**
   * Throws `provider_rejected` when a connection cannot be used or does not accept the scope, and
   * `provider_unavailable` while it is paused.
   */
  async plan(requester: Requester, request: TaskRequest, assessment: PermittedRequest): Promise<Plan> {
    const task = taskOf(request.child?.taskId ?? newId('tsk'), requester, request, assessment);
    const leases = await Promise.all(assessment.scopes.map((rendered) => this.planOne(task, rendered)));
    const planned = { task, requester, request, assessment, leases };
    return leases.some(({ traits }) => traits.remote) ? { ...planned, remote: true } : { ...planned, remote: false };
  }

  private async planOne(task: Task, rendered: RenderedCredential): Promise<PlannedLease> {
    const leaseId = newId('lse'); // taken before the first `await`, so that ids follow the template's order
    const { name, provider, connection, scope, digest, probe } = rendered;
    const traits = this.targets.traits(provider, connection, scope);
    const mintBy = earliest(addSeconds(task.createdAt, traits.mintSeconds ?? MINT_DEADLINE_SECONDS), task.expiresAt);
    this.gates.requireOpen(connection);
    const target = await this.targets.resolve(provider, connection, scope);
    const order = orderOf(leaseId, task, target, scope, mintBy);
    const handle = target.provider.plan(order) as JsonObject;
    const sealedHandle = sealHandle(this.sealing, leaseId, target, handle);
    return {
      ...{ id: leaseId, name, connection, scope, scopeDigest: digest, target, traits, order, handle, sealedHandle },
      ...(probe === undefined ? {} : { probe }),
    };
  }
}

function taskOf(id: TaskId, requester: Requester, request: TaskRequest, assessment: PermittedRequest): Task {
  const { template, at, lifetime, obligations, parameters } = assessment;
  const { child } = request;
  const { maxSeconds } = template.version.spec.lifetime;
  const longest = addSeconds(at, Math.min(maxSeconds, obligations.lifeSeconds ?? maxSeconds));
  const heartbeat = template.version.spec.heartbeat;
  return {
    id,
    state: 'active',
    agent: { id: requester.agent.id, name: requester.agent.name },
    runtime: requester.runtime,
    template: { name: template.version.name, version: template.version.version },
    parameters,
    purpose: request.purpose,
    createdAt: at,
    expiresAt: addSeconds(at, lifetime.grantedSeconds),
    // A child never outlives its parent, whatever the parent's own renewals are.
    maxExpiresAt: child === undefined ? longest : earliest(longest, child.maxExpiresAt),
    ...(child === undefined ? {} : { origin: child.origin }),
    ...(heartbeat === undefined ? {} : { heartbeatTimeoutSeconds: heartbeat.timeoutSeconds, heartbeatAt: at }),
  };
}

/**
 * Builds the mint order of one lease; a renewal builds it again with a later deadline. Throws `provider_rejected` when
 * the provider no longer accepts a scope that an earlier release granted.
 */
export function orderOf(
  leaseId: LeaseId,
  task: Task,
  target: Target,
  scope: Json,
  mintBy: Date,
): MintOrder<unknown, Json> {
  const parsed = parseValue(target.provider.schemas.scope, scope);
  if (!parsed.success) {
    throw new Problem('provider_rejected', `provider \`${target.provider.kind}\` no longer accepts the granted scope`, {
      help: 'complete this task and ask for a new one',
      cause: parsed.error,
    });
  }
  return {
    leaseId,
    taskId: task.id,
    agent: task.agent,
    ...(task.origin === undefined ? {} : { actors: task.origin.actors }),
    template: task.template,
    config: target.config,
    scope: parsed.data as Json,
    ...(target.related === undefined ? {} : { related: target.related }),
    issuedAt: task.createdAt,
    expiresAt: task.expiresAt,
    maxExpiresAt: task.maxExpiresAt,
    mintBy,
  };
}

/** Returns the actor of the audit entries of a request. */
export function actorOfRequester(requester: Requester): Actor {
  return { kind: 'agent', name: requester.agent.name, runtime: requester.runtime };
}

/** Builds the rows of step 9. With `minted`, the leases are written as already active (local plans). */
export function intentOf(plan: Plan, minted?: readonly Minted<unknown>[]): TaskIntent {
  const { task, requester, request, assessment } = plan;
  const { name, spec } = assessment.template.version;
  const due = dueAt(task, task.createdAt);
  return {
    task,
    issuer: requester.issuer,
    subject: requester.subject,
    ...(request.ttlSeconds === undefined ? {} : { requestedTtlSeconds: request.ttlSeconds }),
    ...(request.keyHold === undefined ? {} : { keyHold: request.keyHold }),
    leases: plan.leases.map((lease, index) => leaseIntent(plan, lease, due, minted?.[index])),
    quota: { scope: quotaScope(name), limits: narrowedQuota(spec.quota, assessment.obligations) },
    audit: [grantedEntry(plan, minted), ...acceptedEntries(plan)],
    wakeUps: minted === undefined ? [] : wakeUps(plan, due),
  };
}

/** The entry `task.accepted` of a task that was handed on. */
function acceptedEntries({ task, requester, request: { child } }: Plan): readonly AuditEntry[] {
  const { origin } = task;
  if (origin === undefined) return [];
  const { parentId, rootId, depth } = origin;
  const subject = { taskId: task.id, agent: task.agent.name };
  return [
    auditEntry('task.accepted', task.createdAt, actorOfRequester(requester), subject, {
      ...{ parentId, rootId, depth, ...(child === undefined ? {} : { parent: deadlinesOf(child) }) },
    }),
  ];
}

function deadlinesOf({ expiresAt, maxExpiresAt }: ChildRequest) {
  return { expiresAt: expiresAt.toISOString(), maxExpiresAt: maxExpiresAt.toISOString() };
}

function leaseIntent(plan: Plan, lease: PlannedLease, due: Date, minted: Minted<unknown> | undefined): LeaseIntent {
  const { provider, config } = lease.target;
  const { id, name, connection, scope, scopeDigest, sealedHandle, traits, handle } = lease;
  const { mintBy } = lease.order;
  const revocationPoint = sharedRevocation(provider)?.revocationPointOf(handle, config);
  return {
    id,
    taskId: plan.task.id,
    name,
    provider: provider.kind,
    ...(connection === undefined ? {} : { connection }),
    revocation: traits.revocation,
    ...(traits.revocationNote === undefined ? {} : { revocationNote: traits.revocationNote }),
    ...(revocationPoint === undefined ? {} : { revocationPoint }),
    state: minted === undefined ? 'minting' : 'active',
    scope,
    scopeDigest,
    sealedHandle,
    createdAt: plan.task.createdAt,
    mintBy,
    expiresAt: plan.task.expiresAt,
    ...(minted === undefined ? {} : { providerExpiresAt: minted.providerExpiresAt }),
    dueAt: minted === undefined ? addSeconds(mintBy, MINT_SLACK_SECONDS) : due,
    attempts: 0,
  };
}

/**
 * Wake-ups at the due time of each lease that needs revocation at a target. The sweeper closes the other leases in
 * bulk.
 */
export function wakeUps(plan: Pick<Plan, 'leases'>, due: Date): readonly WakeUp[] {
  return plan.leases
    .filter(({ traits }) => traits.remote)
    .map(({ id }) => ({ leaseId: id, reason: 'due', runAt: due }));
}

/**
 * Returns the entry `task.granted`. With `minted` it also tells what was issued: a local plan has one commit and one
 * entry.
 */
function grantedEntry(
  { task, requester, request, assessment, leases }: Plan,
  minted: readonly Minted<unknown>[] | undefined,
): AuditEntry {
  const { grantedSeconds, limitedBy } = assessment.lifetime;
  return auditEntry(
    'task.granted',
    task.createdAt,
    actorOfRequester(requester),
    { taskId: task.id, agent: task.agent.name },
    {
      identity: {
        ...{ issuer: requester.issuer, subject: requester.subject },
        expiresAt: requester.identityExpiresAt.toISOString(),
      },
      declared: assessment.facts.digest,
      template: { ...task.template, digest: assessment.template.version.digest },
      parameters: task.parameters,
      purpose: task.purpose,
      lifetime: { requestedSeconds: request.ttlSeconds ?? null, grantedSeconds, limitedBy },
      expiresAt: task.expiresAt.toISOString(),
      controls: [...assessment.decision.with(...QUOTA_TAKEN).trace],
      leases: leases.map(({ id, name, connection, scopeDigest, target }, index) => ({
        id,
        name,
        provider: target.provider.kind,
        connection: connection ?? null,
        scopeDigest,
        ...(minted?.[index] === undefined ? {} : { issued: issuedFacts(minted[index]) }),
      })),
    },
  );
}

function issuedFacts({ providerExpiresAt, facts }: Minted<unknown>) {
  return { providerExpiresAt: providerExpiresAt.toISOString(), ...(facts === undefined ? {} : { facts }) };
}

/** One audit entry for each lease that was minted and checked. */
export function issuedEntries(plan: Plan, minted: readonly Minted<unknown>[]): readonly AuditEntry[] {
  return plan.leases.map(({ id, name, target }, index) =>
    auditEntry(
      'lease.issued',
      plan.task.createdAt,
      actorOfRequester(plan.requester),
      { taskId: plan.task.id, leaseId: id, agent: plan.task.agent.name },
      {
        name,
        provider: target.provider.kind,
        expiresAt: plan.task.expiresAt.toISOString(),
        providerExpiresAt: minted[index]?.providerExpiresAt.toISOString() ?? null,
        ...(minted[index]?.facts === undefined ? {} : { facts: minted[index].facts }),
      },
    ),
  );
}
