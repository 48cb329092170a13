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
 * A kind of credential. A provider reads no environment, database of ours or policy; its `config` comes from the connection
 * with all secret references resolved. Deadlines come with the orders; where a provider has to know what time it is, it asks
 * the `Clock` that it was built with, never the system's. It throws `Problem` only: `provider_rejected` when it is certain
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
  /** members of a scope, at any depth, that are the template author's alone: no free parameter fills them (I9) */
  readonly authoredMembers?: readonly string[];
  /** What the provider knows of texts in a rendered scope, whether its schema takes the scope or not. Pure. */
  readScope?(scope: Json): readonly ScopeRemark[];
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

/** One thing that a connection needs, and how it stands. Texts hold no secret and no value of the configuration. */
export interface ProbeCheck {
  /** what was tried, such as `log in` or `iam:PutRolePolicy on role/crm-export` */
  readonly name: string;
  /**
   * `missing`: a right is not there; `failed`: it could not be found out; `skipped`: something before it failed; `warning`:
   * it works, and `detail` says what it costs or leaves open
   */
  readonly outcome: 'ok' | 'warning' | 'missing' | 'failed' | 'skipped';
  readonly detail?: string;
}

export interface ProbeReport {
  readonly checks: readonly ProbeCheck[];
  /** the target's clock minus ours */
  readonly clockOffsetSeconds?: number;
  /** of the broker's own login at the target */
  readonly loginAgeSeconds?: number;
}

/** A provider that can try a connection with the least harm. What is wrong stands in the report; it never throws. */
export interface Probeable<Config> {
  probe(config: Config, signal: AbortSignal): Promise<ProbeReport>;
}

/** A provider that keeps sessions open at a target while leases live there, so that it can always end them. */
export interface Attending<Config> {
  /**
   * Makes sure that leases could be revoked at the target now, for at least the next minute: called for each connection that
   * has living leases, at start and every few seconds. Rejects with a `Problem` when Mayfly cannot log in there afresh.
   */
  attend(config: Config, signal: AbortSignal): Promise<void>;
}

/** Something that a connection says against a scope, in words that quote no secret. An `error` is refused by `plan` too. */
export interface ScopeObjection {
  readonly severity: 'error' | 'warning';
  readonly detail: string;
}

/**
 * What a provider knows of one text in a rendered scope, where it reads texts in a way of its own:
 * - `narrowest`: it has a wildcard, and nothing narrower exists at the target;
 * - `below`: its wildcard stands for everything below one named thing;
 * - `too-wide`: its wildcard stands for more than a template may give, which is refused at a request too;
 * - `unbound`: it is a right that lacks the condition which usually bounds it.
 */
export interface ScopeRemark {
  readonly path: readonly (string | number)[];
  readonly kind: 'narrowest' | 'below' | 'too-wide' | 'unbound';
  readonly detail?: string;
}

/** A provider whose promises depend on the connection or on the scope. All methods but `examine` are pure. */
export interface ConnectionAware<Config, Scope> {
  /** `config` may hold references in place of secrets. Without a scope: the widest bounds of the connection. */
  traitsFor(config: Config, scope?: Scope): EffectiveTraits;
  /** What this connection says against a rendered scope: lists that it is not on, limits of the target that it breaks. */
  inspect(config: Config, scope: Scope): readonly ScopeObjection[];
  /** The names of other connections that the scope works with. */
  connectionsOf?(scope: Scope): readonly string[];
  /** What the target itself says of such a scope, asked once at publication; each is a warning. Never throws. */
  examine?(config: Config, scope: Scope, signal: AbortSignal): Promise<readonly string[]>;
}

/**
 * A provider that revokes many leases by one thing that they share, such as a policy that denies. `revocationPointOf` names
 * the place of it, where there is one; the name is stored with the lease, unsealed.
 */
export interface SharedRevocation<Config, Handle> {
  revocationPointOf(handle: Handle, config: Config): string | undefined;
  /** Looks whether the revocation point is as it should be and puts it right. Rejects with a `Problem` when that did not work. */
  maintain(config: Config, revocationPoint: string, signal: AbortSignal): Promise<void>;
}

/** A provider whose back end can be left with something that no lease knows, where somebody else can look for it. */
export interface Reconcilable<Handle> {
  /**
   * What was made for Mayfly at the place that `related` leads to and that none of `handles` knows, by name. It only looks.
   * Rejects with a `Problem`.
   */
  orphans(related: RelatedConnection, handles: readonly Handle[], signal: AbortSignal): Promise<readonly string[]>;
}

/** A provider as the registry holds it: its types are closed behind its own schemas. */
/* eslint-disable @typescript-eslint/no-explicit-any -- an existential type: only a provider's own schemas open it */
export type AnyProvider = CredentialProvider<any, any, any> &
  Partial<Renewable<any, any, any>> &
  Partial<Probeable<any>> &
  Partial<Attending<any>> &
  Partial<ConnectionAware<any, any>> &
  Partial<SharedRevocation<any, any>> &
  Partial<Reconcilable<any>>;

/**
 * Compares a credential that can be read with what was ordered, and says what is wrong with it, or undefined. It lives
 * apart from the provider, since a minter does not judge its own work, and quotes nothing of the credential.
 */
export type MintCheck = (order: MintOrder<any, any>, minted: Minted<any>) => string | undefined;
/* eslint-enable @typescript-eslint/no-explicit-any */
