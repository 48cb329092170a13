import type { Authoring } from './authoring.js';
import type { AgentId, Json, JsonObject, LeaseId, TaskId } from '@mayfly/kernel';
import type { ZodType } from 'zod';

/**
 * How a credential of this kind ends before its expiry:
 * - `immediate`: the target refuses it as soon as the provider's revocation is acknowledged;
 * - `propagating`: the target refuses it within a known window after the acknowledgement;
 * - `expiry-only`: it lives to its expiry, and Mayfly says so.
 */
export type RevocationClass = 'immediate' | 'propagating' | 'expiry-only';

export interface ProviderTraits {
  readonly revocation: RevocationClass;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  /** Whether minting leaves something behind at a target. Without it, one commit serves as intent and activation. */
  readonly remote: boolean;
  /**
   * How long after the intent something may still come into being, where that is longer than usual: calls that must not
   * be broken off. `MintOrder.mintBy` follows from it.
   */
  readonly mintSeconds?: number;
  /** Nothing that could be used exists before `record` was called: a mint that failed without it has left nothing. */
  readonly recordsFirst?: boolean;
}

/** Traits for one connection and one scope; `revocationNote` says in a sentence what `revocation` leaves open. */
export type EffectiveTraits = ProviderTraits & { readonly revocationNote?: string };

/** Another connection that a scope works with, its secrets resolved. */
export interface RelatedConnection {
  readonly provider: string;
  readonly config: unknown;
}

/** The other connections that a scope names (`connectionsOf`), by name. */
export type RelatedConnections = Readonly<Record<string, RelatedConnection>>;

/** What is to be minted: everything that a provider may know, and nothing that it could decide with. */
export interface MintOrder<Config, Scope> {
  readonly leaseId: LeaseId;
  readonly taskId: TaskId;
  readonly agent: { readonly id: AgentId; readonly name: string };
  readonly template: { readonly name: string; readonly version: number };
  readonly config: Config;
  readonly scope: Scope;
  readonly related?: RelatedConnections;
  readonly issuedAt: Date;
  /** The granted deadline: the provider sets its own expiry to it, never later (I6). */
  readonly expiresAt: Date;
  /** The furthest that renewals of this task can move the deadline; a provider's hard limits may reach to it. */
  readonly maxExpiresAt?: Date;
  /** The provider makes sure that nothing comes into being at the target after this instant, whatever is delayed. */
  readonly mintBy: Date;
}

export interface Minted<Handle> {
  /** What revocation needs; equal to the planned handle but for members that only the provider could know. */
  readonly handle: Handle;
  /** Shown to the agent once. Never logged, never stored in the clear. */
  readonly secret: Readonly<Record<string, Json>>;
  /** The expiry that the provider itself enforces. */
  readonly providerExpiresAt: Date;
  /** What the target told of it that is worth keeping, such as the packed size of a policy. Kept and shown: no secret. */
  readonly facts?: JsonObject;
}

/**
 * Commits what only the provider could know (an accessor, a lease id) before the mint goes on (I1). Resolves to whether
 * it may go on: false when the task was ended meanwhile, and then nothing more may be brought into being.
 */
export type RecordHandle<Handle> = (handle: Handle) => Promise<boolean>;

/**
 * What a call to revoke came to:
 * - `revoked`: the provider proved that the credential is dead, open sessions included;
 * - `already_gone`: it proved that there is nothing (left) to revoke;
 * - `not_yet`: it is on the way (`retryAfterSeconds` says when to look again); with `effectiveAt` the target has
 *   acknowledged it and refuses from that instant on, which a later call has to confirm;
 * - `unknown`: the call failed and proves nothing; it is tried again without end;
 * - `impossible`: a credential of this kind cannot be revoked; it lives to its expiry.
 * `effectiveAt` is the instant from which the target refuses, where that is later than now. `remains` says in words what is
 * left at the target although it gives no access any more. `unreached`: Mayfly could not log in at the target at all, so
 * that nothing else can be revoked there either.
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

/** What revocation knows of the lease, besides its handle. */
export interface RevocationOrder<Config, Handle> {
  readonly leaseId: LeaseId;
  readonly config: Config;
  readonly handle: Handle;
  readonly related?: RelatedConnections;
  readonly expiresAt: Date;
  /** the instant that an earlier `not_yet` gave */
  readonly effectiveAt?: Date;
}

/**
 * A kind of credential. A provider knows no setting and no policy of the service, and of its database no more than a port that
 * it was built with; its `config` comes from the connection with all secret references resolved. Deadlines come with the orders.
 * What time it is it asks the `Clock` that it was built with, never the system's; the system's monotonic clock measures how long
 * something took, and no more. It throws `Problem` only: `provider_rejected` when it is certain that nothing was minted,
 * `provider_unavailable` when the outcome is unknown. No message holds a secret.
 */
export interface CredentialProvider<Config, Scope, Handle> {
  readonly kind: string;
  readonly schemas: {
    /** shape of `Connection.spec.config`; the `secretMembers` may be references until they are resolved */
    readonly config: ZodType<Config>;
    /** shape of a rendered scope */
    readonly scope: ZodType<Scope>;
    readonly handle: ZodType<Handle>;
  };
  /** which members of the configuration may be secret references, as JSON Pointers (RFC 6901); none of them is ever shown */
  readonly secretMembers: readonly string[];
  readonly traits: ProviderTraits;
  /** rules for the authors of templates */
  readonly authoring?: Authoring;
  /**
   * Names what will exist at the provider. Pure; its result is committed before `mint` is called (I1). Throws
   * `provider_rejected` for a scope that this connection does not take (`inspect` has said so at publication).
   */
  plan(order: MintOrder<Config, Scope>): Handle;
  /** One remote effect, repeated only after an answer that proves that there was none. Rejects no later than `signal`. */
  mint(
    order: MintOrder<Config, Scope>,
    planned: Handle,
    signal: AbortSignal,
    record: RecordHandle<Handle>,
  ): Promise<Minted<Handle>>;
  /** Ends the credential and proves it. Safe to repeat, safe for a handle whose mint never happened. Never throws. */
  revoke(order: RevocationOrder<Config, Handle>, signal: AbortSignal): Promise<RevocationOutcome>;
  /** Ends all connections, when the service stops. */
  close?(): Promise<void>;
}

/** A provider as the registry holds it: its types are closed behind its own schemas, its optional parts behind questions. */
export type AnyProvider = CredentialProvider<unknown, unknown, unknown>;
