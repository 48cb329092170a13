import type { AgentId, Json, Labels } from '@mayfly/kernel';

/** The agent behind a request, as its proven workload identity gives it. Nothing here is claimed by the caller. */
export interface Requester {
  readonly agent: { readonly id: AgentId; readonly name: string; readonly state: string; readonly labels: Labels };
  readonly runtime: string;
  /** name of the issuer record, and the subject that it vouched for */
  readonly issuer: string;
  readonly subject: string;
  readonly identityExpiresAt: Date;
}

export interface TaskRequest {
  readonly template: string;
  readonly parameters: Json;
  readonly purpose: string;
  readonly ttlSeconds?: number;
}
