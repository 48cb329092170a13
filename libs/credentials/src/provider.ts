import type { Authoring } from './authoring.js';
import type { AgentId, Json, JsonObject, LeaseId, TaskId } from '@mayfly/kernel';
import type { ZodType } from 'zod';

/**
 * The revocation of a kind of credential before its expiry:
 * - `immediate`: the target refuses the credential as soon as it acknowledges the revocation;
 * - `propagating`: the target refuses the credential within a known time after it acknowledges the revocation;
 * - `expiry-only`: nothing ends the credential before its expiry, and Mayfly says so.
 */
export type RevocationClass = 'immediate' | 'propagating' | 'expiry-only';

/** The fixed facts of a provider about its credentials. Lifetimes are in seconds. */
export interface ProviderTraits {
  readonly revocation: RevocationClass;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  /** True when a mint creates something at a target. When false, one commit serves as intent and activation. */
  readonly remote: boolean;
  /**
   * Seconds after the intent in which a mint may still create something. Set it when calls that cannot be aborted take
   * longer than the default. `MintOrder.mintBy` follows from it.
   */
  readonly mintSeconds?: number;
  /** True when nothing usable exists before `record` is called: a mint that failed before that call left nothing. */
  readonly recordsFirst?: boolean;
}

/**
 * Traits for one connection and one scope. `revocationNote` is one sentence on the access that revocation cannot end.
 */
export type EffectiveTraits = ProviderTraits & { readonly revocationNote?: string };

/** Another connection that a scope uses, with its secrets resolved. */
export interface RelatedConnection {
  readonly provider: string;
  readonly config: unknown;
}

/** The other connections that a scope names (`connectionsOf`), by name. */
export type RelatedConnections = Readonly<Record<string, RelatedConnection>>;

/** Input of `mint`. It holds no policy data, so that a provider cannot decide. */
export interface MintOrder<Config, Scope> {
  readonly leaseId: LeaseId;
  readonly taskId: TaskId;
  readonly agent: { readonly id: AgentId; readonly name: string };
  /** the agents that handed the work on, the root's first; absent for a root */
  readonly actors?: readonly AgentId[];
  readonly template: { readonly name: string; readonly version: number };
  readonly config: Config;
  readonly scope: Scope;
  readonly related?: RelatedConnections;
  readonly issuedAt: Date;
  /** The granted deadline. The provider sets its own expiry to it, never later (I6). */
  readonly expiresAt: Date;
  /** The latest deadline that renewals of this task can reach. A provider's hard limits may extend to it. */
  readonly maxExpiresAt?: Date;
  /** The provider makes sure that nothing is created at the target after this instant, whatever is delayed. */
  readonly mintBy: Date;
}

/** The result of a mint or a renewal. */
export interface Minted<Handle> {
  /** The input of revocation. Equals the planned handle, except for members that only the provider could know. */
  readonly handle: Handle;
  /** The material for the agent, shown once. Never logged, never stored in the clear. */
  readonly secret: Readonly<Record<string, Json>>;
  /** The expiry that the provider itself enforces. */
  readonly providerExpiresAt: Date;
  /** Facts from the target's answer, such as the packed size of a policy. Stored and shown, so they hold no secret. */
  readonly facts?: JsonObject;
}

/**
 * Commits the members of the handle that only the provider could know (an accessor, a lease id) before the mint
 * continues (I1). Resolves to false when the task has ended in the meantime; the provider must then create nothing
 * more.
 */
export type RecordHandle<Handle> = (handle: Handle) => Promise<boolean>;

/**
 * The result of one call to revoke:
 * - `revoked`: the provider proved that the credential is dead, open sessions included;
 * - `already_gone`: the provider proved that nothing is (or remains) to be revoked;
 * - `not_yet`: the revocation is in progress (`retryAfterSeconds` says when to ask again). With `effectiveAt` the
 * target has acknowledged it and refuses from that instant on; a later call has to confirm that;
 * - `unknown`: the call failed and proves nothing; Mayfly repeats it without limit;
 * - `impossible`: a credential of this kind cannot be revoked and lives until its expiry.
 * `effectiveAt` is the instant from which the target refuses, when that is later than now. `remains` describes an
 * object that is left at the target and gives no access. `unreached` is true when Mayfly could not log in at the target
 * at all, so that it can revoke nothing else there either.
 */
export type RevocationOutcome =
  | { readonly kind: 'revoked' | 'already_gone'; readonly effectiveAt?: Date; readonly remains?: string }
  | {
      readonly kind: 'not_yet';
      readonly detail: string;
      readonly retryAfterSeconds?: number;
      readonly effectiveAt?: Date;
    }
  | {
      readonly kind: 'unknown';
      readonly detail: string;
      readonly retryAfterSeconds?: number;
      readonly unreached?: boolean;
    }
  | { readonly kind: 'impossible' };

/** Input of `revoke`. */
export interface RevocationOrder<Config, Handle> {
  readonly leaseId: LeaseId;
  readonly config: Config;
  readonly handle: Handle;
  readonly related?: RelatedConnections;
  readonly expiresAt: Date;
  /** the instant from an earlier `not_yet` */
  readonly effectiveAt?: Date;
}

/**
 * A kind of credential. A provider knows no setting and no policy of the service. It reaches the service's database
 * only through a port that it was built with. `config` comes from the connection, with all secret references resolved.
 * Deadlines come with the orders. A provider reads the time from the `Clock` that it was built with, and the system's
 * monotonic clock only to measure durations. It throws `Problem` only: `provider_rejected` when it is certain that
 * nothing was minted, `provider_unavailable` when the outcome is unknown. No message holds a secret.
 */
export interface CredentialProvider<Config, Scope, Handle> {
  readonly kind: string;
  readonly schemas: {
    /**
     * the schema of `Connection.spec.config`; members named in `secretMembers` may be references until they are
     * resolved
     */
    readonly config: ZodType<Config>;
    /** the schema of a rendered scope */
    readonly scope: ZodType<Scope>;
    readonly handle: ZodType<Handle>;
  };
  /**
   * the members of the configuration that may be secret references, as JSON Pointers (RFC 6901); Mayfly shows none of
   * them
   */
  readonly secretMembers: readonly string[];
  readonly traits: ProviderTraits;
  /** rules for the authors of templates */
  readonly authoring?: Authoring;
  /**
   * Returns the names of everything that `mint` will create. Pure. Its result is committed before `mint` is called
   * (I1). Throws `provider_rejected` for a scope that this connection cannot serve (`inspect` reports the same at
   * publication).
   */
  plan(order: MintOrder<Config, Scope>): Handle;
  /**
   * Makes the one remote change. Repeats it only after an answer that proves that nothing was created. Rejects once
   * `signal` aborts, at the latest.
   */
  mint(
    order: MintOrder<Config, Scope>,
    planned: Handle,
    signal: AbortSignal,
    record: RecordHandle<Handle>,
  ): Promise<Minted<Handle>>;
  /**
   * Ends the credential and proves it. Safe to repeat, and safe for a handle whose mint never happened. Never throws.
   */
  revoke(order: RevocationOrder<Config, Handle>, signal: AbortSignal): Promise<RevocationOutcome>;
  /** Ends all connections when the service stops. */
  close?(): Promise<void>;
}

/**
 * A provider as the registry holds it. Its own schemas check its types; provider-questions.ts finds its optional parts.
 */
export type AnyProvider = CredentialProvider<unknown, unknown, unknown>;
