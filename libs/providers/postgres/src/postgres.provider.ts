import { randomBytes } from 'node:crypto';
import type {
  Attenuable,
  Attending,
  ClockReporting,
  ConnectionAware,
  CredentialProvider,
  Enumerable,
  LeaseMarks,
  Minted,
  MintOrder,
  Probeable,
  ProbeReport,
  ProviderTraits,
  Renewable,
  RevocationOrder,
  RevocationOutcome,
  ScopeObjection,
  SecretFinding,
  TargetObjects,
  Usable,
  UseOrder,
  UseOutcome,
} from '@mayfly/credentials';
import { Problem, type Clock, type ClockReading, type JsonObject } from '@mayfly/kernel';
import { addressOf, leaseUrl, makerIn } from './address.js';
import { agentLogin } from './agent-login.js';
import { isScopeWithin } from './attenuation.js';
import { StepFailure } from './errors.js';
import { examineScope, roundsRemark } from './examine-scope.js';
import { explain, MAYFLY_RETRIES, problemFrom } from './failures.js';
import { leaseObjects, scopeRoleOf } from './lease-objects.js';
import { renewStatement } from './lease-role.js';
import { type Login, tryLogin } from './lease-login.js';
import { LeaseRoleMinter } from './lease-role-minter.js';
import {
  PostgresConfigSchema,
  PostgresHandleSchema,
  PostgresScopeSchema,
  type PostgresConfig,
  type PostgresHandle,
  type PostgresScope,
} from './postgres.schemas.js';
import { passwordParametersIn } from './password-parameter.js';
import { poolingOf, type Pooling } from './pooling.js';
import { probeTarget } from './probe.js';
import { privilegesOf, scopeRoleName, type Privilege } from './scope-privileges.js';
import { scramVerifier } from './scram-verifier.js';
import { Attendance } from './revoke/attendance.js';
import { findRoles, foundRole, type RoleRow } from './revoke/looks.js';
import type { EndedHandle } from './revoke/revocation-desk.js';
import { ServerClocks } from './server-clocks.js';
import { makersIn } from './server-facts.js';
import { DatabaseTarget, DatabaseTargets, type TargetAddress } from './target.js';

type Order = MintOrder<PostgresConfig, PostgresScope>;

/** 192 bits: too many to guess, even with one round of the verifier. */
const PASSWORD_BYTES = 24;
/** Revocation sessions stay open for this long after a lease's expiry, for a lease whose end is slow. */
const AFTER_LEASE_SECONDS = 60;
const ATTEND_SECONDS = 60;

/**
 * Mints one login role per lease, a member of one role per scope that holds exactly the named tables and verbs (ADR
 * 0004). The server enforces VALID UNTIL, which stops new logins; only revocation ends the open sessions.
 */
export class PostgresProvider
  implements
    CredentialProvider<PostgresConfig, PostgresScope, PostgresHandle>,
    Renewable<PostgresConfig, PostgresScope, PostgresHandle>,
    Probeable<PostgresConfig>,
    Attending<PostgresConfig>,
    ClockReporting<PostgresConfig>,
    ConnectionAware<PostgresConfig, PostgresScope>,
    Attenuable<PostgresScope>,
    Enumerable<PostgresConfig>,
    Usable<PostgresConfig, PostgresHandle>,
    SecretFinding
{
  readonly kind = 'postgres';
  readonly schemas = { config: PostgresConfigSchema, scope: PostgresScopeSchema, handle: PostgresHandleSchema };
  readonly secretMembers = ['/url', '/sslRootCert'];
  readonly authoring = { authoredMembers: ['verbs'] };
  readonly traits: ProviderTraits = {
    revocation: 'immediate',
    minTtlSeconds: 1,
    maxTtlSeconds: 43_200,
    remote: true,
  };
  readonly findSecretsIn = passwordParametersIn;
  private readonly targets = new DatabaseTargets(4);
  /** one connection for each target, for mints in groups */
  private readonly groupedTargets = new DatabaseTargets(1);
  /** separate sessions, so that revocations and mints do not delay each other */
  private readonly attendance = new Attendance();
  private readonly minter = new LeaseRoleMinter();
  private readonly clocks: ServerClocks;

  /**
   * With `clock`, a probe reports the offset of the server's clock from it. Without `marks`, no role gets a comment and
   * none is proven to be ours.
   */
  constructor(
    private readonly clock?: Clock,
    private readonly marks?: LeaseMarks,
  ) {
    this.clocks = new ServerClocks(clock);
  }

  isWithin(scope: PostgresScope, parent: PostgresScope): boolean {
    return isScopeWithin(scope, parent);
  }

  plan(order: Order): PostgresHandle {
    return {
      role: `mayfly_${order.leaseId.slice('lse_'.length)}`,
      scopeRole: scopeRoleName(makerIn(order.config), wantedBy(order)),
    };
  }

  clockAt(config: PostgresConfig): ClockReading | undefined {
    return this.clocks.at(targetOf(config));
  }

  /** Opens the revocation sessions before it creates the role. */
  async mint(order: Order, planned: PostgresHandle, signal: AbortSignal): Promise<Minted<PostgresHandle>> {
    this.refuseLifetime(order);
    const { sslmode, ...address } = addressOf(order.config);
    const attended = this.attendTo(order);
    await attended.ready(signal);
    const at = targetOf(order.config);
    this.clocks.note(at, await orProblem(() => attended.watch.facts(signal)));
    const password = randomBytes(PASSWORD_BYTES).toString('base64url');
    const verifier = await scramVerifier(password, order.config.scramIterations);
    const targets = { grouped: this.groupedTargets.at(at), alone: this.targets.at(at) };
    const { facts, creator } = await orProblem(() =>
      this.minter.create(
        targets,
        { order, handle: planned, wanted: wantedBy(order), verifier, mark: this.marks?.markOf(order.leaseId) },
        signal,
      ),
    );
    const url = leaseUrl({ ...address, sslmode }, planned.role, password);
    return {
      handle: { ...planned, target: facts.identity, ...(creator === undefined ? {} : { maker: creator }) },
      secret: { ...address, username: planned.role, password, url, ...tlsFor(sslmode, order.config) },
      providerExpiresAt: order.expiresAt,
    };
  }

  async renew(
    order: Order,
    handle: PostgresHandle,
    signal: AbortSignal,
  ): Promise<Omit<Minted<PostgresHandle>, 'secret'>> {
    this.refuseLifetime(order);
    await this.attendTo(order).ready(signal);
    await orProblem(() => {
      const target = this.targets.at(targetOf(order.config));
      return target.use(signal, async (session) => {
        const facts = await target.facts(session);
        if (handle.target !== undefined && handle.target !== facts.identity)
          throw new Problem('provider_rejected', ELSEWHERE);
        const [row] = (await session.query<RoleRow>(findRoles([handle.role], makersIn(facts)))).rows;
        const role = foundRole(row ?? { name: handle.role, oid: '0', maker: null }, undefined, facts);
        return session.query(renewStatement(role, order.expiresAt, order.mintBy));
      });
    });
    return { handle, providerExpiresAt: order.expiresAt };
  }

  async revoke(
    order: RevocationOrder<PostgresConfig, PostgresHandle>,
    signal: AbortSignal,
  ): Promise<RevocationOutcome> {
    return this.end(order.config, order.handle, signal);
  }

  /** Lists the lease roles of the whole server, so also those that another connection to it made. */
  async objects(config: PostgresConfig, signal: AbortSignal): Promise<TargetObjects> {
    return orProblem(() =>
      this.targets.at(targetOf(config)).use(signal, (session) => leaseObjects(session, this.marks)),
    );
  }

  async endObject(config: PostgresConfig, name: string, signal: AbortSignal): Promise<RevocationOutcome> {
    const handle = PostgresHandleSchema.pick({ role: true }).safeParse({ role: name });
    if (!handle.success)
      return { kind: 'unknown', detail: 'the name is not that of a lease role; end the role by hand' };
    try {
      const scopeRole = await this.targets.at(targetOf(config)).use(signal, (session) => scopeRoleOf(session, name));
      return await this.end(config, { role: name, ...(scopeRole === undefined ? {} : { scopeRole }) }, signal);
    } catch (error) {
      return { kind: 'unknown', detail: explain(error, MAYFLY_RETRIES) };
    }
  }

  canUse(): boolean {
    return true;
  }

  materialOf({ username, password }: Minted<PostgresHandle>['secret']): JsonObject | undefined {
    return username === undefined || password === undefined ? undefined : { username, password };
  }

  use({ config, material }: UseOrder<PostgresConfig, PostgresHandle>, signal: AbortSignal): Promise<UseOutcome> {
    return tryLogin(config, material as unknown as Login, signal);
  }

  async attend(config: PostgresConfig, signal: AbortSignal): Promise<void> {
    const attended = this.attendance.at(targetOf(config));
    attended.attendFor(ATTEND_SECONDS);
    await attended.logIn(signal);
    await attended.ready(signal);
    this.clocks.note(targetOf(config), await orProblem(() => attended.watch.facts(signal)));
  }

  traitsFor(): ProviderTraits {
    return this.traits;
  }

  inspect(config: PostgresConfig): readonly ScopeObjection[] {
    const detail = roundsRemark(config.scramIterations);
    return detail === undefined ? [] : [{ severity: 'warning', detail }];
  }

  /** Returns the remarks of `examineScope`, or one remark that says why the database could not be queried. */
  async examine(config: PostgresConfig, scope: PostgresScope, signal: AbortSignal): Promise<readonly string[]> {
    try {
      return await this.targets.at(targetOf(config)).use(signal, (session) => examineScope(session, scope));
    } catch (error) {
      return [`the database could not be examined: ${explain(error)}`];
    }
  }

  async probe(config: PostgresConfig, signal: AbortSignal): Promise<ProbeReport> {
    try {
      addressOf(config);
      const target = new DatabaseTarget(targetOf(config), 1);
      const session = await target.connect(signal);
      try {
        const pooling = (process: number): Promise<Pooling> => poolingOf(target, { session, process }, signal);
        const report = await probeTarget(session, { config, clock: this.clock, pooling });
        return { ...report, checks: [...report.checks, await agentLogin(config, signal)] };
      } finally {
        await session.end();
        await target.close();
      }
    } catch (error) {
      return { checks: [{ name: 'log in', outcome: 'failed', detail: explain(error) }] };
    }
  }

  /** Closes all connections after their current work ends. */
  async close(): Promise<void> {
    await Promise.all([this.targets.close(), this.groupedTargets.close(), this.attendance.close()]);
  }

  private async end(config: PostgresConfig, handle: EndedHandle, signal: AbortSignal): Promise<RevocationOutcome> {
    try {
      const attended = this.attendance.at(targetOf(config));
      attended.attendFor(ATTEND_SECONDS);
      return await attended.desk.end(handle, signal);
    } catch (error) {
      const unreached = error instanceof StepFailure && error.isUnreached;
      return { kind: 'unknown', detail: explain(error, MAYFLY_RETRIES), ...(unreached ? { unreached } : {}) };
    }
  }

  private attendTo(order: Order): ReturnType<Attendance['at']> {
    const attended = this.attendance.at(targetOf(order.config));
    const seconds = (order.expiresAt.getTime() - order.issuedAt.getTime()) / 1000;
    attended.attendFor(seconds + AFTER_LEASE_SECONDS);
    return attended;
  }

  private refuseLifetime({ issuedAt, expiresAt }: Order): void {
    const { minTtlSeconds, maxTtlSeconds } = this.traits;
    const seconds = (expiresAt.getTime() - issuedAt.getTime()) / 1000;
    if (seconds >= minTtlSeconds && seconds <= maxTtlSeconds) return;
    const bounds = `${String(minTtlSeconds)} to ${String(maxTtlSeconds)} s`;
    throw new Problem('provider_rejected', `a database role lives ${bounds}; change the lifetime`);
  }
}

/** Returns the settings with which a client verifies the server, under libpq's names. */
function tlsFor(sslmode: string | undefined, { sslRootCert }: PostgresConfig): Readonly<Record<string, string>> {
  return {
    ...(sslmode === undefined ? {} : { sslmode }),
    ...(sslRootCert === undefined ? {} : { sslrootcert: sslRootCert }),
  };
}

const ELSEWHERE = 'the connection names another server than the one that has the credential; set its `url` back';

function targetOf({ url, role, sslRootCert }: PostgresConfig): TargetAddress {
  return { url, role, sslRootCert };
}

function wantedBy(order: Order): readonly Privilege[] {
  return privilegesOf(addressOf(order.config).database, order.scope);
}

async function orProblem<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw problemFrom(error);
  }
}
