import type { Actor, AuditEntry } from '@mayfly/audit';
import type { AnyProvider, Connection, MintCheck, RelatedConnections } from '@mayfly/credentials';
import type { Json, LeaseId, TaskId } from '@mayfly/kernel';
import type { Lease } from '@mayfly/leases';
import type { QuotaLeft, QuotaLimits } from '@mayfly/quota';
import type { Task, TaskEndCause } from '@mayfly/tasks';
import type { CompiledTemplate } from '@mayfly/templates';
import type { KeyClaim } from './request.js';

/** Published templates. */
export interface TemplateSource {
  /** The version in force, or undefined when there is none. */
  current(name: string): CompiledTemplate | undefined;
}

/** Declared connections. */
export interface ConnectionSource {
  find(name: string): Connection | undefined;
}

/** Other connections of a scope as they were declared: their secrets are references. */
export type DeclaredRelated = Readonly<Record<string, { readonly provider: string; readonly config: Json }>>;

/** Seals what must not be read at rest, bound to a context: it opens under the same context only. */
export interface Sealing {
  seal(plain: string, context: string): Buffer;
  open(sealed: Uint8Array, context: string): Buffer;
}

/** A lease about to be written, with everything that revocation needs (I1). */
export interface LeaseIntent extends Lease {
  readonly scopeDigest: string;
  readonly sealedHandle: Buffer;
  readonly mintBy: Date;
  readonly dueAt: Date;
}

/** A wake-up for the worker. Losing it loses nothing: the sweeper finds the lease by its due time. */
export interface WakeUp {
  readonly leaseId: LeaseId;
  readonly reason: 'due' | 'retry';
  readonly runAt: Date;
}

/** Step 7: all that one transaction writes before a provider is called. */
export interface TaskIntent {
  readonly task: Task;
  readonly issuer: string;
  readonly subject: string;
  readonly requestedTtlSeconds?: number;
  readonly keyClaim?: KeyClaim;
  readonly leases: readonly LeaseIntent[];
  readonly quota: { readonly scope: string; readonly limits: QuotaLimits };
  readonly audit: readonly AuditEntry[];
  readonly wakeUps: readonly WakeUp[];
}

/**
 * - `opened`: everything is committed;
 * - `quota`: the scope has nothing left; nothing was written;
 * - `agent` or `template`: the agent is not active, or the version is not the one in force; nothing was written;
 * - `connection`: a connection of the task is disabled; nothing was written;
 * - `key`: the claim of the idempotency key lapsed, and another request has it; nothing was written;
 * - `clock`: this replica's clock disagrees with the database's by more than 5 s; nothing was written.
 */
export type OpenVerdict = 'opened' | 'quota' | 'agent' | 'template' | 'connection' | 'key' | 'clock';

/** A lease whose credential was minted and checked. */
export interface ActivatedLease {
  readonly id: LeaseId;
  /** the planned handle with what only the provider could know */
  readonly sealedHandle: Buffer;
  readonly providerExpiresAt: Date;
  readonly dueAt: Date;
}

/** Step 9: what became of the leases of one task. */
export interface TaskActivation {
  readonly taskId: TaskId;
  readonly leases: readonly ActivatedLease[];
  readonly audit: readonly AuditEntry[];
  readonly wakeUps: readonly WakeUp[];
}

/** The two commits of the path. Each call is atomic and is answered after its commit, never before (I2). */
export interface IssuanceStore {
  open(intent: TaskIntent): Promise<OpenVerdict>;
  /**
   * Adds to the recorded handle of a lease that is being minted what only the provider could know. True while the mint
   * may go on; of a task that was ended meanwhile the handle is kept all the same, for its revocation.
   */
  recordHandle(leaseId: LeaseId, sealedHandle: Buffer): Promise<boolean>;
  /** True when all leases became active; false when the task was ended meanwhile, and nothing was written. */
  activate(activation: TaskActivation): Promise<boolean>;
  quotaLeft(scope: string, limits: QuotaLimits): Promise<QuotaLeft>;
  /** Writes entries that belong to no change of state (denials). */
  record(entries: readonly AuditEntry[]): Promise<void>;
}

/** A lease that this process may close until `claimSeconds` have passed; `version` fences late results. */
export interface LeaseClaim {
  readonly id: LeaseId;
  readonly taskId: TaskId;
  /** the agent's name */
  readonly agent: string;
  readonly provider: string;
  readonly connection?: string;
  readonly sealedHandle: Uint8Array;
  readonly version: number;
  readonly cause: TaskEndCause;
  readonly expiresAt: Date;
  readonly attempts: number;
  /** from when on the target refuses it, as an earlier call was told; not confirmed yet */
  readonly effectiveAt?: Date;
}

/** The leases of one agent at one connection: their ends wait for each other, and for nobody else's. */
export interface Lane {
  readonly connection: string;
  readonly agent: string;
}

/** What came of closing one claimed lease. */
export type ClosingResult =
  | {
      readonly claim: LeaseClaim;
      readonly state: 'revoked' | 'expired';
      readonly effectiveAt: Date;
      /** what is left at the target although it gives no access any more, in words */
      readonly remains?: string;
    }
  | {
      readonly claim: LeaseClaim;
      readonly state: 'revoking';
      readonly retryAt: Date;
      readonly error: string;
      /** the target's acknowledgement: it refuses from then on */
      readonly effectiveAt?: Date;
    };

export interface EndRequest {
  readonly taskId: TaskId;
  readonly cause: TaskEndCause;
  readonly reason?: string;
  readonly actor: Actor;
  /** Leases whose mint is proven to have had no effect: they end as `failed`. */
  readonly neverMinted?: readonly LeaseId[];
  /** Leases whose mint is known to be over: they can be closed at once, before their `mintBy`. */
  readonly minted?: readonly LeaseId[];
}

/** The store of revocation. Every method locks the task row first, so that transitions of one task are in one order. */
export interface ClosingStore {
  /** Records the end once (the first cause stays), marks the leases `revoking` and claims those that can be closed now. */
  requestEnd(request: EndRequest): Promise<readonly LeaseClaim[]>;
  /** Claims due leases, marking them `revoking`; those of busy lanes and connections are left for later. */
  claimDue(options: {
    limit: number;
    leaseId?: LeaseId;
    busyConnections?: readonly string[];
    busyLanes?: readonly Lane[];
    /** so that a dead back end, and an agent whose leases resist their end, leave room for the others */
    limitPerLane?: number;
  }): Promise<readonly LeaseClaim[]>;
  /** Writes results whose claim still holds; ends tasks whose last lease is terminal and gives their quota back. */
  record(results: readonly ClosingResult[]): Promise<void>;
}

export interface Renewal {
  readonly taskId: TaskId;
  readonly expiresAt: Date;
  readonly dueAt: Date;
  readonly audit: readonly AuditEntry[];
  readonly wakeUps: readonly WakeUp[];
}

/** A lease of a living task, as renewal needs it. */
export interface LivingLease extends Lease {
  readonly sealedHandle: Uint8Array;
}

/** The store of what happens in the middle of a task. */
export interface TaskStore {
  /** The task, or undefined. */
  find(taskId: TaskId): Promise<(Task & { readonly leases: readonly LivingLease[] }) | undefined>;
  /** Moves the granted deadline of a living task, or none of it; false when it is ending or ended. */
  renew(renewal: Renewal): Promise<boolean>;
  /** Before something new is issued under a lease: nothing of it will be issued after `issuedBy`. False as above. */
  reissuing(leaseId: LeaseId, issuedBy: Date): Promise<boolean>;
  /**
   * Notes the provider's new expiry, and that nothing of this lease was issued after now; false when the task is ending
   * or ended, and nothing may be given out any more.
   */
  renewedAtProvider(leaseId: LeaseId, providerExpiresAt: Date): Promise<boolean>;
  /** Notes a sign of life; false when the task is ending or ended. */
  heartbeat(taskId: TaskId, at: Date, dueAt: Date): Promise<boolean>;
}

/** Numbers for operators. Labels come from bounded sets. */
export interface IssuanceMetrics {
  issuanceEnded(provider: string, outcome: 'issued' | 'rejected' | 'unavailable'): void;
  denied(control: string): void;
  providerAnswered(provider: string, operation: 'mint' | 'revoke' | 'renew', seconds: number): void;
}

/** Which connections have leases that have not ended. */
export interface LivingConnections {
  /** All of them, or those among `names`. */
  living(names?: readonly string[]): Promise<readonly string[]>;
}

/** The steps of the path (docs/issuance.md). */
export type Step =
  'load' | 'validate' | 'decide' | 'narrow' | 'plan' | 'open' | 'mint' | 'check' | 'activate' | 'answer';

/** Told after each step. Crash tests stop the process here. */
export interface StepObserver {
  reached(step: Step): void;
}

/** What stands at shared targets and has not been looked at lately, each with a lease that knows the way there. */
export interface UpkeepStore {
  due(limit: number): Promise<
    readonly {
      readonly target: string;
      readonly lease: SealedLease;
    }[]
  >;
}

/** A lease whose handle tells what it has at a target. */
export interface SealedLease {
  readonly id: LeaseId;
  readonly provider: string;
  readonly sealedHandle: Uint8Array;
}

/** What leases say they have, for comparing it with what is there. */
export interface OrphanStore {
  /** All leases of this kind that have not ended, or ended within the last minutes. Throws `unavailable` when there are too many. */
  lately(provider: string): Promise<readonly SealedLease[]>;
}

/** Somewhere that orphans can be looked for: a connection, and another one that sees what is there. */
export interface OrphanPlace {
  readonly provider: string;
  readonly connection: string;
  readonly related: string;
}

/** A provider with the connection's configuration, secrets resolved. */
export interface Target {
  readonly provider: AnyProvider;
  /** the name of the connection, where it was found by name */
  readonly connection?: string;
  /** other connections that the scope works with, as they were declared and with their secrets */
  readonly declaredRelated?: DeclaredRelated;
  readonly related?: RelatedConnections;
  /** the configuration as it was declared: its secrets are references */
  readonly declared: Json;
  readonly config: unknown;
  /** judges what the provider mints */
  readonly check: MintCheck;
}
