import type { AuditHistory } from '@mayfly/audit';
import { decisionOfTask, digestOf, type Json, type JsonObject, type TaskId } from '@mayfly/kernel';
import type { DecisionRecord, Verdict } from '@mayfly/policy';
import type { TaskStore } from '../task.store.js';
import { outsideIn } from '../outside-decision.js';
import type { FactStore } from './declared-facts.js';
import type { RequestInputs } from './decision-inputs.js';
import { askedInputs, type DeclaredInputs, heldInputs } from './request-inputs.js';

export interface GrantedDecisionsParts {
  readonly audit: Pick<AuditHistory, 'story'>;
  readonly facts: FactStore;
  readonly tasks: Pick<TaskStore, 'find'>;
}

/** The facts of the entry `task.granted` that a decision is read from. */
interface GrantedEntry {
  readonly type: string;
  readonly at: string;
  readonly agent: string;
  readonly actor: { readonly runtime: string };
  readonly identity: { readonly issuer: string; readonly subject: string; readonly expiresAt?: string };
  readonly declared?: string;
  readonly template: { readonly name: string; readonly version: number; readonly digest: string };
  readonly parameters: JsonObject;
  readonly purpose: string;
  readonly lifetime: { readonly requestedSeconds: number | null };
  readonly controls: readonly Verdict[];
}

interface AcceptedEntry {
  readonly type: string;
  readonly parentId: TaskId;
  readonly rootId: TaskId;
  readonly depth: number;
  readonly parent?: { readonly expiresAt: string; readonly maxExpiresAt: string };
}

/** Reads the decisions that granted tasks from their audit entries: a grant writes no other record (ADR 0025). */
export class GrantedDecisions {
  constructor(private readonly parts: GrantedDecisionsParts) {}

  /**
   * Returns the decision that opened a task, or undefined. Its inputs are empty when the entry is of an earlier release, or
   * when a part of them is no longer there. Throws `unavailable`.
   */
  async find(taskId: TaskId): Promise<DecisionRecord | undefined> {
    const { items } = await this.parts.audit.story(taskId, { limit: 2, after: undefined });
    const entries = items.map(({ body }) => JSON.parse(body) as { readonly type: string });
    const granted = entries.find(({ type }) => type === 'task.granted') as GrantedEntry | undefined;
    if (granted === undefined) return undefined;
    const accepted = entries.find(({ type }) => type === 'task.accepted') as AcceptedEntry | undefined;
    const task = await this.parts.tasks.find(taskId);
    if (task === undefined) return undefined;
    const inputs = ((await this.inputsOf(taskId, granted, accepted)) ?? {}) as JsonObject;
    return {
      ...{ id: decisionOfTask(taskId), at: new Date(granted.at), phase: 'request', taskId },
      ...{ agentId: task.agent.id, agentName: granted.agent, runtime: granted.actor.runtime },
      ...{ templateName: granted.template.name, templateVersion: granted.template.version },
      ...{ permitted: true, trace: granted.controls, inputs, inputsDigest: digestOf(inputs) },
    };
  }

  private async inputsOf(
    taskId: TaskId,
    { at, declared, identity, actor, template, lifetime, ...granted }: GrantedEntry,
    accepted: AcceptedEntry | undefined,
  ): Promise<RequestInputs | undefined> {
    const facts = declared === undefined ? undefined : await this.factsOf(declared);
    const parent = accepted === undefined ? null : await this.parentOf(taskId, accepted);
    if (facts === undefined || parent === undefined || identity.expiresAt === undefined) return undefined;
    const { parameters, purpose } = granted;
    const ttlSeconds = lifetime.requestedSeconds ?? undefined;
    return {
      ...{ at, ...facts, runtime: actor.runtime, identity: { ...identity, expiresAt: identity.expiresAt } },
      ...{ template, request: askedInputs({ template: template.name, parameters, purpose, ttlSeconds }) },
      ...{ lockdown: null, parent, delegation: null, task: null },
      ...{ outside: outsideIn(granted.controls), commit: { verdict: 'opened' } },
    };
  }

  /** Returns the stored facts, if they still have the digest that the entry states. */
  private async factsOf(digest: string) {
    const body = await this.parts.facts.find(digest);
    if (body === undefined) return undefined;
    const facts = JSON.parse(body) as Json;
    return digestOf(facts) === digest ? (facts as unknown as DeclaredInputs) : undefined;
  }

  /** The scopes of leases never change, so those of the parent are as they were. */
  private async parentOf(
    taskId: TaskId,
    { parentId, rootId, depth, parent }: AcceptedEntry,
  ): Promise<RequestInputs['parent'] | undefined> {
    const stored = await this.parts.tasks.find(parentId);
    if (parent === undefined || stored === undefined) return undefined;
    return { taskId, parentId, rootId, depth, ...parent, held: heldInputs(stored.leases) };
  }
}
