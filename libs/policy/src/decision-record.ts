import {
  canonicalJson,
  type AgentId,
  type ControlName,
  type DecisionId,
  type JsonObject,
  type TaskId,
} from '@mayfly/kernel';
import type { Verdict } from './decision.js';

/** The act that a decision permits or denies: a new task, more time for one, a part of one for another, one operation. */
export type DecisionPhase = 'request' | 'renew' | 'delegate' | 'operate';

/**
 * A decision as it is kept: the verdicts, and the inputs that they follow from. INVARIANT: I10, no member holds a
 * secret: parameters and purposes in `inputs` are redacted.
 */
export interface DecisionRecord {
  readonly id: DecisionId;
  readonly at: Date;
  readonly phase: DecisionPhase;
  /** the task that the decision is about, if there is one */
  readonly taskId?: TaskId;
  readonly agentId: AgentId;
  readonly agentName: string;
  readonly runtime: string;
  readonly templateName: string;
  /** absent when no version of the template was in force */
  readonly templateVersion?: number;
  readonly permitted: boolean;
  /** the control that denied */
  readonly control?: ControlName;
  readonly trace: readonly Verdict[];
  readonly inputs: JsonObject;
  /** `digestOf` the inputs */
  readonly inputsDigest: string;
  /** the digest of the policies that were evaluated, if any were */
  readonly policyDigest?: string;
}

/** Port: the records of decisions. They are never changed. All methods throw `unavailable`. */
export interface DecisionStore {
  /** Writes records in one commit. */
  record(records: readonly DecisionRecord[]): Promise<void>;
  find(id: DecisionId): Promise<DecisionRecord | undefined>;
  /** Returns the records of a task, oldest first. */
  ofTask(taskId: TaskId): Promise<readonly DecisionRecord[]>;
}

/** Returns the canonical JSON of a record: the form that is stored, and whose digest an audit entry states. */
export function decisionBody({ at, ...record }: DecisionRecord): string {
  return canonicalJson({ ...(record as unknown as JsonObject), at: at.toISOString() });
}

/** Reads a record from its stored form. */
export function decisionOfBody(body: string): DecisionRecord {
  const record = JSON.parse(body) as Omit<DecisionRecord, 'at'> & { readonly at: string };
  return { ...record, at: new Date(record.at) };
}
