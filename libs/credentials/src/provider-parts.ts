import type { ClockReading, Json, JsonObject, LeaseId } from '@mayfly/kernel';
import type { DenialFindings } from './deny-policies.js';
import type {
  EffectiveTraits,
  Minted,
  MintOrder,
  RelatedConnection,
  RelatedConnections,
  RevocationOutcome,
} from './provider.js';

/** A provider that can move the expiry of a living credential. */
export interface Renewable<Config, Scope, Handle> {
  /**
   * Moves the provider's expiry to `order.expiresAt`. Never revives a revoked credential. `secret` is present only when
   * the agent needs new material: a signed token cannot be extended, so the provider issues a new one.
   */
  renew(
    order: MintOrder<Config, Scope>,
    handle: Handle,
    signal: AbortSignal,
  ): Promise<Omit<Minted<Handle>, 'secret'> & { readonly secret?: Minted<Handle>['secret'] }>;
}

/** A provider that can compare scopes. Of others, a child task gets only the same scope as its parent. */
export interface Attenuable<Scope> {
  /** True when `parent` allows everything that `scope` allows, at one connection. Pure. */
  isWithin(scope: Scope, parent: Scope): boolean;
}

/** One requirement of a connection and its result. Its texts hold no secret and no configuration value. */
export interface ProbeCheck {
  /** the tested action, such as `log in` or `iam:PutRolePolicy on role/crm-export` */
  readonly name: string;
  /**
   * `missing`: Mayfly lacks the right; `failed`: the probe could not find out; `skipped`: an earlier check failed;
   * `warning`: the action works, and `detail` names its cost or its gap
   */
  readonly outcome: 'ok' | 'warning' | 'missing' | 'failed' | 'skipped';
  readonly detail?: string;
}

/** The results of a probe, one for each requirement. */
export interface ProbeReport {
  readonly checks: readonly ProbeCheck[];
  /** the target's clock minus ours */
  readonly clockOffsetSeconds?: number;
  /** the age of the broker's own login at the target */
  readonly loginAgeSeconds?: number;
}

/** A provider that can test a connection with the least harm. Reports every fault in `ProbeReport`; never throws. */
export interface Probeable<Config> {
  /** Tests login and rights at the target, and leaves nothing there that lasts. */
  probe(config: Config, signal: AbortSignal): Promise<ProbeReport>;
}

/**
 * The answer of a target to the use of a credential:
 * - `refused`: the target knows the credential no longer, which only its end explains;
 * - `accepted`: the credential works;
 * - `unknown`: the answer proves neither.
 */
export type UseOutcome =
  { readonly kind: 'refused' } | { readonly kind: 'accepted' } | { readonly kind: 'unknown'; readonly detail: string };

/** Input of `use`. */
export interface UseOrder<Config, Handle> {
  readonly config: Config;
  readonly handle: Handle;
  readonly related?: RelatedConnections;
  /** the result of `materialOf` */
  readonly material: Json;
}

/** A provider that can use a credential as its agent does, over the address that agents use, to show that it is dead. */
export interface Usable<Config, Handle> {
  /** True when Mayfly can reach the target of such a scope. The scope may still have its holes. Pure. */
  canUse(scope: JsonObject): boolean;
  /** Returns the part of a secret that `use` needs; undefined when the secret has none. Pure. */
  materialOf(secret: Readonly<Record<string, Json>>): JsonObject | undefined;
  /** Uses the credential once, in the least way, and changes nothing at the target. Never throws. */
  use(order: UseOrder<Config, Handle>, signal: AbortSignal): Promise<UseOutcome>;
}

/** A provider that reads the clock of its target from the target's answers. */
export interface ClockReporting<Config> {
  /** Returns the latest reading of this process; undefined before the first answer. Calls nothing. */
  clockAt(config: Config): ClockReading | undefined;
}

/** A provider that keeps sessions open at a target while leases live there, so that it can always revoke them. */
export interface Attending<Config> {
  /**
   * Makes sure that Mayfly can revoke leases at the target now and for at least one more minute. Called at start and
   * every few seconds, for each connection that has living leases. Rejects with a `Problem` when a fresh login at the
   * target fails.
   */
  attend(config: Config, signal: AbortSignal): Promise<void>;
}

/**
 * A provider whose configuration can hold a secret that only the provider's grammar reveals, such as a URL parameter.
 */
export interface SecretFinding {
  /** Returns JSON Pointers to plain-text secrets in a configuration, which need not match the schema. Pure. */
  findSecretsIn(config: Json): readonly string[];
}

/** A workload that may introspect the tokens of one audience: the name of a declared issuer, and the exact subject. */
export interface ResourceServer {
  readonly audience: string;
  readonly issuer: string;
  readonly subject: string;
}

/** A provider of tokens that resource servers introspect at Mayfly (RFC 7662). */
export interface Introspectable<Config> {
  /** Returns the workloads that may introspect the tokens minted through the connection. Pure. */
  resourceServersOf(config: Config): readonly ResourceServer[];
  /** Returns the audience of the tokens minted through the connection; undefined when the scope alone names it. Pure. */
  audienceFor(config: Config): string | undefined;
}

/** A provider whose scopes say which operations they allow. */
export interface OperationJudging<Scope> {
  /** Returns the audience of a credential: its resource servers may ask about operations. Pure. */
  audienceOf(scope: Scope): string;
  /** True when the scope allows the operation at the target. Pure. */
  allowsOperation(scope: Scope, operation: string, target: string): boolean;
}

/**
 * A reason why a connection cannot serve a scope, or a risk of it. Quotes no secret. `plan` also refuses every `error`.
 */
export interface ScopeObjection {
  readonly severity: 'error' | 'warning';
  readonly detail: string;
}

/**
 * A provider whose promises depend on the connection or on the scope. Each member is optional by itself. All but
 * `examine` are pure.
 */
export interface ConnectionAware<Config, Scope> {
  /**
   * Returns the traits for this connection. `config` may hold secret references. Without a scope: the connection's
   * widest bounds.
   */
  traitsFor?(config: Config, scope?: Scope): EffectiveTraits;
  /**
   * Returns the reasons why this connection cannot serve a rendered scope: lists that lack it, limits of the target
   * that it exceeds.
   */
  inspect?(config: Config, scope: Scope): readonly ScopeObjection[];
  /** Returns the names of the other connections that the scope uses. */
  connectionsOf?(scope: Scope): readonly string[];
  /** Asks the target itself about the scope, once, at publication. Returns one warning per text. Never throws. */
  examine?(config: Config, scope: Scope, signal: AbortSignal): Promise<readonly string[]>;
}

/**
 * A provider that revokes many leases through one shared object, such as a deny policy. `revocationPointOf` names the
 * revocation point of a lease, or returns undefined when the lease has none. The name is stored with the lease,
 * unsealed.
 */
export interface SharedRevocation<Config, Handle> {
  /** Returns the revocation point of a lease with this handle; undefined when it has none. Pure. */
  revocationPointOf(handle: Handle, config: Config): string | undefined;
  /** Returns the revocation points that the configuration itself names, with or without leases. Pure. */
  revocationPointsIn(config: Config): readonly string[];
  /**
   * Checks the revocation point, repairs it, and returns the differences that it found. Resolves to undefined while
   * another process is at it. Rejects with a `Problem` when the check or the repair fails.
   */
  maintain(config: Config, revocationPoint: string, signal: AbortSignal): Promise<DenialFindings | undefined>;
}

/**
 * A provider whose back end can keep orphans, and that can list them through a connection to the system that holds
 * them.
 */
export interface Reconcilable<Handle> {
  /**
   * Returns the names of everything that was made for Mayfly at the target of `related` and that no handle in `handles`
   * names. Changes nothing. Rejects with a `Problem`.
   */
  orphans(related: RelatedConnection, handles: readonly Handle[], signal: AbortSignal): Promise<readonly string[]>;
}

/** An object at a target that looks like the credential of a lease. */
export interface TargetObject {
  /** the name of the object at the target, such as a role or the accessor of a token; no secret */
  readonly name: string;
  /** the lease that the object names */
  readonly leaseId?: LeaseId;
  /**
   * - `ours`: it carries the mark of this installation for this lease (`LeaseMarks`), so Mayfly made it;
   * - `other`: it carries a mark of another installation, or one of a sealing key that is gone;
   * - `none`: it carries no mark.
   */
  readonly mark: 'ours' | 'other' | 'none';
}

/** The objects that a target showed. */
export interface TargetObjects {
  readonly objects: readonly TargetObject[];
  /** why objects may exist that are not listed, with the change to make; absent when the list is complete */
  readonly unseen?: string;
}

/** A provider that can list the credentials at a target, and end one that no lease explains. */
export interface Enumerable<Config> {
  /**
   * Lists every object at the target that looks like the credential of a lease and still gives access. An object that
   * existed before the call and still exists after it is in a complete list. Changes nothing. Rejects with a `Problem`.
   */
  objects(config: Config, signal: AbortSignal): Promise<TargetObjects>;
  /**
   * Ends the object with this name, as `revoke` does. The caller has proof that Mayfly made it and that no lease lives
   * by it. Safe to repeat. Never throws.
   */
  endObject(config: Config, name: string, signal: AbortSignal): Promise<RevocationOutcome>;
}
