import { randomBytes } from 'node:crypto';
import type {
  CredentialProvider,
  Minted,
  MintOrder,
  Probeable,
  ProbeReport,
  ProviderTraits,
  Renewable,
  RevocationOrder,
  RevocationOutcome,
} from '@mayfly/credentials';
import { Problem, type Clock } from '@mayfly/kernel';
import { addressOf, leaseUrl } from './address.js';
import { codeOf, problemOf, UNDEFINED_OBJECT } from './failures.js';
import { createStatement, renewStatement } from './lease-role.js';
import { removeLeaseRole } from './lease-role-removal.js';
import {
  PostgresConfigSchema,
  PostgresHandleSchema,
  PostgresScopeSchema,
  type PostgresConfig,
  type PostgresHandle,
  type PostgresScope,
} from './postgres.schemas.js';
import { clockOffset, probeRights } from './probe.js';
import { privilegesOf, scopeRoleName, type Privilege } from './scope-privileges.js';
import { ensureScopeRole } from './scope-roles.js';
import { scramVerifier } from './scram-verifier.js';
import { Targets, type ServerFacts, type Session, type Target } from './target.js';

type Order = MintOrder<PostgresConfig, PostgresScope>;

/** 192 bits: beyond guessing, whatever the rounds of the verifier. */
const PASSWORD_BYTES = 24;

const ELSEWHERE = 'the connection leads to another server than the credential was minted at';

/**
 * A login role per lease, a member of one role per scope that holds exactly the named tables and verbs (ADR 0004).
 * VALID UNTIL, which the server itself enforces, stops new logins; only revocation ends the sessions that are open.
 */
export class PostgresProvider
  implements
    CredentialProvider<PostgresConfig, PostgresScope, PostgresHandle>,
    Renewable<PostgresConfig, PostgresScope, PostgresHandle>,
    Probeable<PostgresConfig>
{
  readonly kind = 'postgres';
  readonly schemas = { config: PostgresConfigSchema, scope: PostgresScopeSchema, handle: PostgresHandleSchema };
  readonly secretMembers = ['/url'];
  readonly authoredMembers = ['verbs'];
  readonly traits: ProviderTraits = {
    revocation: 'immediate',
    minTtlSeconds: 1,
    maxTtlSeconds: 43_200,
    remote: true,
  };
  private readonly targets = new Targets(4);
  /** of their own, so that many revocations do not hold up mints, nor mints a revocation */
  private readonly revocations = new Targets(8);

  /** With `clock`, a probe tells how far the server's is from it. */
  constructor(private readonly clock?: Clock) {}

  plan(order: Order): PostgresHandle {
    return { role: `mayfly_${order.leaseId.slice('lse_'.length)}`, scopeRole: scopeRoleName(wantedBy(order)) };
  }

  async mint(order: Order, planned: PostgresHandle, signal: AbortSignal): Promise<Minted<PostgresHandle>> {
    this.refuseLifetime(order);
    const { sslmode, ...address } = addressOf(order.config);
    const password = randomBytes(PASSWORD_BYTES).toString('base64url');
    const verifier = await scramVerifier(password, order.config.scramIterations);
    const target = this.targets.at(order.config.url);
    const reached = await orProblem(() =>
      target.use(signal, async (session) => {
        const facts = await target.facts(session);
        await createLeaseRole(target, session, order, planned, verifier, facts.version);
        return facts.identity;
      }),
    );
    const url = leaseUrl({ ...address, sslmode }, planned.role, password);
    return {
      handle: { ...planned, target: reached },
      secret: { ...address, username: planned.role, password, url },
      providerExpiresAt: order.expiresAt,
    };
  }

  async renew(
    order: Order,
    handle: PostgresHandle,
    signal: AbortSignal,
  ): Promise<Omit<Minted<PostgresHandle>, 'secret'>> {
    this.refuseLifetime(order);
    const statement = renewStatement(handle.role, order.expiresAt, order.mintBy);
    await orProblem(() => {
      const target = this.targets.at(order.config.url);
      return target.use(signal, async (session) => {
        if (leadsElsewhere(handle, await target.facts(session))) throw new Problem('provider_rejected', ELSEWHERE);
        return session.query(statement);
      });
    });
    return { handle, providerExpiresAt: order.expiresAt };
  }

  async revoke(
    order: RevocationOrder<PostgresConfig, PostgresHandle>,
    signal: AbortSignal,
  ): Promise<RevocationOutcome> {
    try {
      const target = this.revocations.at(order.config.url);
      return await target.use(signal, async (session) => {
        const facts = await target.facts(session);
        if (leadsElsewhere(order.handle, facts)) return { kind: 'unknown', detail: ELSEWHERE };
        return removeLeaseRole(session, order.handle, facts.version);
      });
    } catch (error) {
      return { kind: 'unknown', detail: codeOf(error) };
    }
  }

  async probe(config: PostgresConfig, signal: AbortSignal): Promise<ProbeReport> {
    const name = 'log in';
    try {
      addressOf(config);
      return await this.targets.at(config.url).use(signal, async (session) => ({
        checks: [{ name, outcome: 'ok' as const }, ...(await probeRights(session))],
        ...(this.clock === undefined ? {} : { clockOffsetSeconds: await clockOffset(session, this.clock) }),
      }));
    } catch (error) {
      return { checks: [{ name, outcome: 'failed', detail: problemOf(error).detail }] };
    }
  }

  /** Closes all connections, once what they are doing is done. */
  async close(): Promise<void> {
    await Promise.all([this.targets.close(), this.revocations.close()]);
  }

  private refuseLifetime({ issuedAt, expiresAt }: Order): void {
    const { minTtlSeconds, maxTtlSeconds } = this.traits;
    const seconds = (expiresAt.getTime() - issuedAt.getTime()) / 1000;
    if (seconds >= minTtlSeconds && seconds <= maxTtlSeconds) return;
    const bounds = `${String(minTtlSeconds)} to ${String(maxTtlSeconds)} s`;
    throw new Problem('provider_rejected', `a database role lives ${bounds}; change the lifetime`);
  }
}

async function createLeaseRole(
  target: Target,
  session: Session,
  order: Order,
  { role, scopeRole }: PostgresHandle,
  verifier: string,
  serverVersion: number,
): Promise<void> {
  const statement = createStatement({
    role,
    scopeRole,
    verifier,
    maxConnections: order.config.maxConnections,
    expiresAt: order.expiresAt,
    issuedAt: order.issuedAt,
    mintBy: order.mintBy,
    serverVersion,
  });
  await ensureScopeRole(target, session, scopeRole, wantedBy(order));
  try {
    await session.query(statement);
  } catch (error) {
    if (codeOf(error) !== UNDEFINED_OBJECT) throw error;
    // somebody dropped the scope role; the message was rolled back whole, so this is still one effect
    target.verifiedScopes.delete(scopeRole);
    await ensureScopeRole(target, session, scopeRole, wantedBy(order));
    await session.query(statement);
  }
}

/** A handle without a target is of a mint that was never answered: it is judged by its role alone. */
function leadsElsewhere({ target }: PostgresHandle, { identity }: ServerFacts): boolean {
  return target !== undefined && target !== identity;
}

function wantedBy(order: Order): readonly Privilege[] {
  return privilegesOf(addressOf(order.config).database, order.scope);
}

async function orProblem<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw problemOf(error);
  }
}
