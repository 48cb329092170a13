import type { Labels } from '@mayfly/kernel';
import type { PolicyAction } from './policy-schema.js';

/** Where in the life of a task the decision is made. */
export type PolicyPhase = 'request' | 'accept' | 'renew' | 'delegate' | 'operate';

/** Everything that policies may read of one request. Plain data, so that a stored decision can be replayed. */
export interface PolicyInput {
  readonly action: PolicyAction;
  readonly phase: PolicyPhase;
  readonly agent: {
    readonly name: string;
    readonly labels: Labels;
    readonly runtime: string;
    readonly issuer: string;
    readonly delegatingUser?: string;
  };
  readonly template: {
    readonly name: string;
    readonly version: number;
    readonly owner: string;
    readonly labels: Labels;
    readonly connections: readonly string[];
    readonly providers: readonly string[];
  };
  /** for `operate` alone */
  readonly operation?: { readonly name: string; readonly target: string };
  readonly at: Date;
  readonly approvals: number;
  readonly treeDepth: number;
  readonly requestedSeconds?: number;
  readonly usesLeft?: number;
}

/** The switches that `Policy` documents declare. */
export interface PolicyEnvironment {
  readonly freeze: boolean;
  readonly incident: boolean;
}
