import {
  unlessAborted,
  type ClockReporting,
  type ConnectionAware,
  type CredentialProvider,
  type EffectiveTraits,
  type Enumerable,
  type IdentityTokens,
  type LeaseMarks,
  type Minted,
  type Probeable,
  type ProbeReport,
  type ProviderTraits,
  type RecordHandle,
  type Reconcilable,
  type RelatedConnection,
  type Renewable,
  type RevocationOrder,
  type RevocationOutcome,
  type ScopeObjection,
  type TargetObjects,
  type Usable,
  type UseOrder,
  type UseOutcome,
} from '@mayfly/credentials';
import { Problem, type Clock, type ClockReading, type JsonObject, type LeaseId } from '@mayfly/kernel';
import { examineScope } from './examination.js';
import { failureFrom, problemFrom, VaultFailure } from './failures.js';
import { policyName } from './lease-policy.js';
import { endLeaseToken, LeaseTokens } from './lease-tokens.js';
import { type Order } from './lifetime.js';
import { LeaseMint, QUIET_SECONDS, quietFrom } from './mint.js';
import { unknownUsers } from './orphans.js';
import { probeServer } from './probe.js';
import { renewLease } from './renewal.js';
import { revokeHandle } from './revocation.js';
import { Servers } from './server.js';
import type { SessionEnding } from './session-ending.js';
import { engineOf, isSigningPath } from './vault-path.js';
import {
  vaultConfigSchema,
  VaultHandleSchema,
  VaultScopeSchema,
  type VaultAllowances,
  type VaultConfig,
  type VaultHandle,
  type VaultScope,
} from './vault.schemas.js';

export interface VaultParts extends VaultAllowances {
  readonly clock: Clock;
  readonly identityTokens: IdentityTokens;
  /** ends sessions at the databases behind engines, over the connections to those databases */
  readonly sessions: SessionEnding;
  /** marks the tokens of leases; without it, no token is proven to be ours */
  readonly marks?: LeaseMarks | undefined;
  /** longest time in seconds that a server works on a mint whose answer was lost; default 95 */
  readonly quietSeconds?: number;
}

/** Long enough for the calls of a mint: a shorter token would expire before the agent has its secret. */
const MIN_TTL_SECONDS = 5;
const MAX_TTL_SECONDS = 43_200;

const SESSIONS_STAY =
  'after revocation no login is possible with it, but an open session lives on unless the engine ends it; ' +
  'name the `postgres` connection of that database in `endSessions`, or declare `endsSessions` of the engine';
const SIGNED_STAYS = 'the engine keeps no lease for a signed credential, so it is valid until its expiry';

const UNREADABLE =
  'Mayfly cannot read the connection in `endSessions`, over which it would use the secret; check its secret and its configuration';

const CLOSE_MS = 10_000;

/** Maximum number of begun mints that are remembered, so that none begins twice. */
const MAX_REMEMBERED = 10_000;

/**
 * Mints a dynamic secret of a Vault or OpenBao engine with an orphan token made for this lease alone (ADR 0009). The
 * token's explicit end is Vault's own deadline (I6). Revocation ends the lease, the token and, when the scope asks for
 * it, the sessions, and proves it by look-ups.
 */
export class VaultProvider
  implements
    CredentialProvider<VaultConfig, VaultScope, VaultHandle>,
    Renewable<VaultConfig, VaultScope, VaultHandle>,
    Probeable<VaultConfig>,
    ClockReporting<VaultConfig>,
    ConnectionAware<VaultConfig, VaultScope>,
    Enumerable<VaultConfig>,
    Usable<VaultConfig, VaultHandle>,
    Reconcilable<VaultHandle>
{
  readonly kind = 'vault';
  readonly schemas;
  readonly authoring = { authoredMembers: ['method', 'endSessions'] };
  readonly secretMembers = ['/auth/secretId', '/auth/token', '/auth/jwt', '/tls/ca'];
  readonly traits: ProviderTraits = {
    revocation: 'immediate',
    minTtlSeconds: MIN_TTL_SECONDS,
    maxTtlSeconds: MAX_TTL_SECONDS,
    remote: true,
    mintSeconds: 45,
    recordsFirst: true,
  };
  private readonly servers: Servers;
  private readonly tokens: LeaseTokens;
  private readonly begun = new Set<LeaseId>();
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(private readonly parts: VaultParts) {
    this.schemas = { config: vaultConfigSchema(parts), scope: VaultScopeSchema, handle: VaultHandleSchema };
    this.servers = new Servers(parts.identityTokens, parts.clock);
    this.tokens = new LeaseTokens(parts.marks);
  }

  plan({ leaseId: lease, config, scope, mintBy, issuedAt, expiresAt, maxExpiresAt }: Order): VaultHandle {
    const [objection] = this.inspect(config, scope).filter(({ severity }) => severity === 'error');
    if (objection !== undefined) throw new Problem('provider_rejected', objection.detail);
    const { path, method, endSessions } = scope;
    return {
      lease,
      path,
      method,
      policy: policyName(scope),
      issuedAt: issuedAt.toISOString(),
      furthest: (maxExpiresAt ?? expiresAt).toISOString(),
      quietFrom: quietFrom(mintBy, this.quietSeconds),
      ...(endSessions === undefined ? {} : { endSessions }),
    };
  }

  async mint(
    order: Order,
    planned: VaultHandle,
    signal: AbortSignal,
    record: RecordHandle<VaultHandle>,
  ): Promise<Minted<VaultHandle>> {
    this.refuseLifetime(order);
    if (signal.aborted)
      throw new Problem('provider_unavailable', 'the mint deadline passed before Vault was called; try again', {
        reason: 'timeout',
      });
    this.begin(order.leaseId);
    const { clock, sessions, marks } = this.parts;
    const mint = new LeaseMint(this.servers.at(order.config), order, planned, record, {
      clock,
      sessions,
      quietSeconds: this.quietSeconds,
      mark: marks?.markOf(order.leaseId),
    });
    const run = this.goingOn(mint.run());
    try {
      return await unlessAborted(signal, run, late);
    } catch (error) {
      // INVARIANT: I3, an abandoned mint ends what it makes and returns it to nobody.
      mint.abandon();
      throw problemFrom(error);
    }
  }

  async renew(order: Order, handle: VaultHandle, signal: AbortSignal): Promise<Omit<Minted<VaultHandle>, 'secret'>> {
    this.refuseLifetime(order);
    try {
      return await unlessAborted(
        signal,
        renewLease(this.servers.at(order.config), order, handle, this.parts.clock),
        late,
      );
    } catch (error) {
      throw problemFrom(error);
    }
  }

  async revoke(order: RevocationOrder<VaultConfig, VaultHandle>, signal: AbortSignal): Promise<RevocationOutcome> {
    try {
      const { clock, sessions } = this.parts;
      const revocation = revokeHandle(this.servers.at(order.config), order, { clock, sessions }, signal);
      return await unlessAborted(signal, this.goingOn(revocation), late);
    } catch (error) {
      return { kind: 'unknown', detail: failureFrom(error).detail };
    }
  }

  clockAt(config: VaultConfig): ClockReading | undefined {
    return this.servers.at(config).clock.reading;
  }

  async probe(config: VaultConfig, signal: AbortSignal): Promise<ProbeReport> {
    try {
      return await unlessAborted(signal, probeServer(this.servers.at(config), config), late);
    } catch (error) {
      return { checks: [{ name: 'reach the server', outcome: 'failed', detail: failureFrom(error).detail }] };
    }
  }

  traitsFor(config: VaultConfig, scope?: VaultScope): EffectiveTraits {
    const traits = { ...this.traits, maxTtlSeconds: config.maxTtlSeconds };
    if (scope === undefined) return traits;
    if (isSigningPath(scope.path)) return { ...traits, revocation: 'expiry-only', revocationNote: SIGNED_STAYS };
    if (scope.endSessions !== undefined || engineOf(scope.path, config.engines)?.endsSessions === true) return traits;
    return { ...traits, revocation: 'propagating', revocationNote: SESSIONS_STAY };
  }

  inspect(config: VaultConfig, { path }: VaultScope): readonly ScopeObjection[] {
    if (config.engines === undefined || engineOf(path, config.engines) !== undefined) return [];
    const mounts = config.engines.map(({ mount }) => `\`${mount}\``).join(', ');
    return [{ severity: 'error', detail: `\`${path}\` is in no engine of the connection; use one of ${mounts}` }];
  }

  connectionsOf({ endSessions }: VaultScope): readonly string[] {
    return endSessions === undefined ? [] : [endSessions];
  }

  /** Mayfly knows the database of a secret only where the scope names the connection to it. */
  canUse(scope: JsonObject): boolean {
    return scope.endSessions !== undefined;
  }

  materialOf({ username, password }: Minted<VaultHandle>['secret']): JsonObject | undefined {
    return username === undefined || password === undefined ? undefined : { username, password };
  }

  async use(
    { handle, related, material }: UseOrder<VaultConfig, VaultHandle>,
    signal: AbortSignal,
  ): Promise<UseOutcome> {
    const connection = related?.[handle.endSessions ?? ''];
    if (connection === undefined) return { kind: 'unknown', detail: UNREADABLE };
    return this.parts.sessions.logIn(connection.config, material as { username: string; password: string }, signal);
  }

  async examine(config: VaultConfig, scope: VaultScope, signal: AbortSignal): Promise<readonly string[]> {
    try {
      return await unlessAborted(signal, examineScope(this.servers.at(config), scope), late);
    } catch (error) {
      return [`\`${scope.path}\` could not be examined: ${failureFrom(error).detail}`];
    }
  }

  /**
   * Returns the users that the engine made for Mayfly at the database of `related` and that no lease knows. A server
   * that was killed half-way leaves them behind. Changes nothing. Throws `Problem`.
   */
  orphans(
    related: RelatedConnection,
    handles: readonly VaultHandle[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const known = new Set(handles.flatMap(({ username }) => username ?? []));
    return unknownUsers(this.parts.sessions, related.config, known, signal);
  }

  /** Lists the tokens that were made with the token role of the connection, by their accessors. */
  async objects(config: VaultConfig, signal: AbortSignal): Promise<TargetObjects> {
    try {
      return await unlessAborted(signal, this.tokens.list(this.servers.at(config), config, signal), late);
    } catch (error) {
      throw problemFrom(error);
    }
  }

  endObject(config: VaultConfig, name: string): Promise<RevocationOutcome> {
    return endLeaseToken(this.servers.at(config), name);
  }

  /** Waits at most 10 s for calls that must not be aborted, revokes the logins and closes all connections. */
  async close(): Promise<void> {
    const patience = AbortSignal.timeout(CLOSE_MS);
    await unlessAborted(patience, Promise.allSettled(this.underWay)).catch(() => undefined);
    await this.servers.close();
  }

  private goingOn<T>(call: Promise<T>): Promise<T> {
    this.underWay.add(call);
    const over = (): void => void this.underWay.delete(call);
    call.then(over, over);
    return call;
  }

  /** Refuses a second mint of one lease: Vault would not, since no name there is unique to a lease. */
  private begin(leaseId: LeaseId): void {
    if (this.begun.has(leaseId))
      throw new Problem(
        'provider_unavailable',
        'an earlier mint of this credential has an unknown outcome; ask for a new task',
      );
    this.begun.add(leaseId);
    const [oldest] = this.begun;
    if (this.begun.size > MAX_REMEMBERED && oldest !== undefined) this.begun.delete(oldest);
  }

  private get quietSeconds(): number {
    return this.parts.quietSeconds ?? QUIET_SECONDS;
  }

  private refuseLifetime({ issuedAt, expiresAt, config }: Order): void {
    const seconds = (expiresAt.getTime() - issuedAt.getTime()) / 1000;
    if (seconds >= MIN_TTL_SECONDS && seconds <= config.maxTtlSeconds) return;
    const bounds = `${String(MIN_TTL_SECONDS)} to ${String(config.maxTtlSeconds)} s`;
    throw new Problem('provider_rejected', `a secret of this connection lives ${bounds}; change the lifetime`);
  }
}

/** Returns the failure for a call that outlived its caller's deadline; its outcome is unknown. */
function late(): VaultFailure {
  return new VaultFailure('timeout', { uncertain: true });
}
