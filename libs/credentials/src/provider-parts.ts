import type { Json } from '@mayfly/kernel';
import type { EffectiveTraits, Minted, MintOrder, RelatedConnection } from './provider.js';

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

/** A provider whose configuration can hold a secret that only its own grammar shows, such as a parameter of a URL. */
export interface SecretFinding {
  /** Where secrets are written out, as JSON Pointers, in a configuration that need not fit the schema. Pure. */
  findSecretsIn(config: Json): readonly string[];
}

/** A workload that may introspect the tokens of one audience: a declared issuer by name, and the exact subject. */
export interface ResourceServer {
  readonly audience: string;
  readonly issuer: string;
  readonly subject: string;
}

/** A provider of tokens that resource servers introspect at Mayfly (RFC 7662). */
export interface Introspectable<Config> {
  /** Who may introspect what is minted through the connection. Pure. */
  resourceServersOf(config: Config): readonly ResourceServer[];
}

/** Something that a connection says against a scope, in words that quote no secret. An `error` is refused by `plan` too. */
export interface ScopeObjection {
  readonly severity: 'error' | 'warning';
  readonly detail: string;
}

/**
 * A provider whose promises depend on the connection or on the scope: any of these, each for itself. All but `examine` are
 * pure.
 */
export interface ConnectionAware<Config, Scope> {
  /** `config` may hold references in place of secrets. Without a scope: the widest bounds of the connection. */
  traitsFor?(config: Config, scope?: Scope): EffectiveTraits;
  /** What this connection says against a rendered scope: lists that it is not on, limits of the target that it breaks. */
  inspect?(config: Config, scope: Scope): readonly ScopeObjection[];
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
