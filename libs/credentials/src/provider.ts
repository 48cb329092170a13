import type { AgentId, Json, LeaseId, TaskId } from '@mayfly/kernel';
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
}

/** What is to be minted: everything that a provider may know, and nothing that it could decide with. */
export interface MintOrder<Config, Scope> {
  readonly leaseId: LeaseId;
  readonly taskId: TaskId;
  readonly agent: { readonly id: AgentId; readonly name: string };
  readonly template: { readonly name: string; readonly version: number };
  readonly config: Config;
  readonly scope: Scope;
  readonly issuedAt: Date;
  /** The granted deadline: the provider sets its own expiry to it, never later (I6). */
  readonly expiresAt: Date;
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
}

/**
 * What a call to revoke came to:
 * - `revoked`: the provider proved that the credential is dead, open sessions included;
 * - `already_gone`: it proved that there is nothing (left) to revoke;
 * - `not_yet`: it is on the way (`retryAfterSeconds` says when to look again);
 * - `unknown`: the call failed and proves nothing; it is tried again without end;
 * - `impossible`: a credential of this kind cannot be revoked; it lives to its expiry.
 * `effectiveAt` is the instant from which the target refuses, where that is later than now.
 */
export type RevocationOutcome =
  | { readonly kind: 'revoked' | 'already_gone'; readonly effectiveAt?: Date }
  | { readonly kind: 'not_yet' | 'unknown'; readonly detail: string; readonly retryAfterSeconds?: number }
  | { readonly kind: 'impossible' };

/** What revocation knows of the lease, besides its handle. */
export interface RevocationOrder<Config, Handle> {
  readonly leaseId: LeaseId;
  readonly config: Config;
  readonly handle: Handle;
  readonly expiresAt: Date;
}

/**
 * A kind of credential. A provider reads no environment, database of ours, policy or clock; its `config` comes from the
 * connection with all secret references resolved. It throws `Problem` only: `provider_rejected` when it is certain
 * that nothing was minted, `provider_unavailable` when the outcome is unknown. No message holds a secret.
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
  /** Names what will exist at the provider. Pure; its result is committed before `mint` is called (I1). */
  plan(order: MintOrder<Config, Scope>): Handle;
  /** One remote effect, never retried inside. Rejects no later than `signal`. */
  mint(order: MintOrder<Config, Scope>, planned: Handle, signal: AbortSignal): Promise<Minted<Handle>>;
  /** Ends the credential and proves it. Safe to repeat, safe for a handle whose mint never happened. Never throws. */
  revoke(order: RevocationOrder<Config, Handle>, signal: AbortSignal): Promise<RevocationOutcome>;
}

/** A provider that can move the expiry of a living credential. */
export interface Renewable<Config, Scope, Handle> {
  /**
   * Moves the provider's expiry to `order.expiresAt`. Never brings a revoked credential back. `secret` is present only
   * when the agent needs new material (a signed token cannot be stretched, it is issued again).
   */
  renew(
    order: MintOrder<Config, Scope>,
    handle: Handle,
    signal: AbortSignal,
  ): Promise<Omit<Minted<Handle>, 'secret'> & { readonly secret?: Minted<Handle>['secret'] }>;
}

/** A provider that can look whether its target answers, with the least harm. Throws `Problem` when it does not. */
export interface Probeable<Config> {
  probe(config: Config, signal: AbortSignal): Promise<void>;
}

/** A provider as the registry holds it: its types are closed behind its own schemas. */
/* eslint-disable @typescript-eslint/no-explicit-any -- an existential type: only a provider's own schemas open it */
export type AnyProvider = CredentialProvider<any, any, any> &
  Partial<Renewable<any, any, any>> &
  Partial<Probeable<any>>;

/**
 * Compares a credential that can be read with what was ordered, and says what is wrong with it, or undefined. It lives
 * apart from the provider, since a minter does not judge its own work, and quotes nothing of the credential.
 */
export type MintCheck = (order: MintOrder<any, any>, minted: Minted<any>) => string | undefined;
/* eslint-enable @typescript-eslint/no-explicit-any */
