import type { Minted, RecordHandle } from '@mayfly/credentials';
import { addSeconds, earliest, type Clock, type Json, type JsonObject } from '@mayfly/kernel';
import { succeeded } from './broker-login.js';
import { failureOf, problemFrom, VaultFailure } from './failures.js';
import { policyName } from './lease-policy.js';
import { metadataOf } from './lease-tokens.js';
import { refuseClamped, refuseLate, secondsUntil, type Order } from './lifetime.js';
import { endLease, endToken } from './proofs.js';
import { redact } from './redaction.js';
import type { Server } from './server.js';
import type { SessionEnding } from './session-ending.js';
import { MINT_MS, type Envelope, type VaultAnswer, type VaultClient } from './vault-client.js';
import { isSigningPath, mountOf } from './vault-path.js';
import type { VaultHandle } from './vault.schemas.js';

/**
 * The longest time that a server works on a call: its own limit (`default_max_request_duration`, 90 s) and a margin.
 */
export const QUIET_SECONDS = 95;

/**
 * Returns the instant from which the server cannot be working on a mint any more: the last call may start just before
 * `mintBy`.
 */
export function quietFrom(mintBy: Date, quietSeconds: number): string {
  return addSeconds(mintBy, quietSeconds).toISOString();
}

const NO_SECRET = 'the engine answered without a credential; change `path` of the scope to one that gives a credential';
const ENDS_NOW = 'the task ends in less than 1 s, so Mayfly made no token for it; ask for a new task';
const WRONG_TOKEN =
  'the token role gives tokens that are not orphans or have further policies; correct it (docs/connect-vault.md)';
const NO_DATABASE_USER =
  '`endSessions` needs an engine that makes database users, and the connection to their database; correct the scope';
const TOO_LONG = 'the engine gives leases that outlive the task and cannot be renewed; lower the TTL of its role';

/** Refuses AWS sessions: AWS accepts them until they expire, whatever Vault does with its lease. */
function unrevocable(): VaultFailure {
  return new VaultFailure('refused', {
    detail: 'the engine gives AWS sessions, which Vault cannot revoke; use `aws-sts` for them',
  });
}

interface Token {
  readonly client: VaultClient;
  readonly accessor: string;
  readonly expiresAt: Date;
}

interface MintParts {
  readonly clock: Clock;
  readonly sessions: SessionEnding;
  readonly quietSeconds: number;
  readonly mark: string | undefined;
}

/**
 * One mint, which runs to its end even when its caller has gone: a client that aborts half-way leaves database users
 * without a lease, and leases with an unknown id.
 */
export class LeaseMint {
  private handle: VaultHandle;
  private abandoned = false;
  /** true once the engine was called and may have acted */
  private wasAsked = false;

  constructor(
    private readonly server: Server,
    private readonly order: Order,
    planned: VaultHandle,
    private readonly record: RecordHandle<VaultHandle>,
    private readonly parts: MintParts,
  ) {
    this.handle = planned;
  }

  /** Marks the caller as gone: the mint begins nothing new and ends at once what it has made. */
  abandon(): void {
    this.abandoned = true;
  }

  /** Runs the mint. Throws `Problem`. */
  async run(): Promise<Minted<VaultHandle>> {
    const { order, server } = this;
    try {
      await server.policies.ensure(server.login, order.scope);
      const token = await this.createToken();
      return await this.use(token).catch(async (error: unknown) => {
        throw problemFrom(error, !(await this.undo(token)));
      });
    } catch (error) {
      throw problemFrom(error);
    }
  }

  private async use(token: Token): Promise<Minted<VaultHandle>> {
    await this.keep({ accessor: token.accessor });
    const body = await this.ask(token.client);
    const { lease_id: leaseId, data } = body;
    if (!data || typeof data !== 'object') throw new VaultFailure('bad-answer', { detail: NO_SECRET, uncertain: true });
    if (data.security_token || data.session_token) throw unrevocable();
    const facts = factsOf(body);
    if (leaseId !== undefined && leaseId !== '') {
      const username = typeof data.username === 'string' ? { username: data.username } : {};
      await this.keep({ answer: 'lease', leaseId, ...username });
      this.refuseAbandoned();
      await this.keepOid();
      const leaseEnds = await this.alignLease(leaseId, body);
      this.refuseAbandoned();
      return this.minted(data, earliest(token.expiresAt, leaseEnds), facts);
    }
    if (!isSigningPath(this.handle.path)) {
      await this.note({ answer: 'nothing' });
      throw new VaultFailure('static-secret');
    }
    await this.keep({ answer: 'signed' });
    return this.minted(data, this.signedUntil(data, token.expiresAt), facts);
  }

  private minted(secret: Readonly<Record<string, Json>>, endsAt: Date, facts: JsonObject): Minted<VaultHandle> {
    return {
      handle: this.handle,
      secret,
      providerExpiresAt: earliest(endsAt, this.order.expiresAt),
      facts,
    };
  }

  /**
   * Creates the lease's token: an orphan, so that it does not end with another token; for one path; with an end that
   * Vault itself enforces (I6).
   */
  private async createToken(): Promise<Token> {
    const { order, server } = this;
    const now = this.parts.clock.now();
    this.refuseToBegin(now);
    const ttl = secondsUntil(order.expiresAt, now);
    const furthest = Math.max(ttl, secondsUntil(order.maxExpiresAt ?? order.expiresAt, now));
    if (ttl < 1) throw new VaultFailure('too-late', { detail: ENDS_NOW });
    const policy = policyName(order.scope);
    const body = await server.login.call('write', `auth/token/create/${order.config.tokenRole}`, {
      policies: [policy],
      no_default_policy: true,
      ttl: `${String(ttl)}s`,
      explicit_max_ttl: `${String(furthest)}s`,
      renewable: furthest > ttl,
      // a template of the engine can put it into the name of the database user, and so into the log of the database
      display_name: `mayfly-${order.leaseId.slice('lse_'.length)}`,
      meta: metadataOf(order, this.parts.mark),
    });
    const { auth } = body;
    if (!auth) throw new VaultFailure('bad-answer');
    const token = {
      client: server.clientFor(auth.client_token),
      accessor: auth.accessor,
      expiresAt: addSeconds(now, auth.lease_duration),
    };
    try {
      refuseClamped(ttl, auth.lease_duration, body.warnings);
      if (auth.orphan !== true || auth.policies?.join() !== policy || auth.lease_duration > ttl || auth.accessor === '')
        throw new VaultFailure('bad-answer', { detail: WRONG_TOKEN });
    } catch (error) {
      await endToken(server.login, token.accessor).catch(() => false);
      throw error;
    }
    return token;
  }

  /** Calls the engine, which creates the credential. */
  private ask(client: VaultClient): Promise<Envelope> {
    const { order, server, parts } = this;
    const { path, method, body } = order.scope;
    return server.mints.run(mountOf(path, order.config.engines), order.config.concurrency, async () => {
      const now = parts.clock.now();
      this.refuseToBegin(now);
      const ttl = isSigningPath(path) ? { ttl: `${String(secondsUntil(order.expiresAt, now))}s` } : {};
      this.wasAsked = true;
      const answered = client.call(method, path, method === 'write' ? { ...body, ...ttl } : undefined, MINT_MS);
      const answer = await answered.catch(async (error: unknown) => {
        await this.noteQuiet(addSeconds(now, parts.quietSeconds));
        throw error;
      });
      if (!isOfVault(answer)) await this.noteQuiet(addSeconds(now, parts.quietSeconds));
      else if (answer.status !== 200) await this.refused(failureOf(answer));
      return succeeded(answer);
    });
  }

  private async refused(failure: VaultFailure): Promise<void> {
    if (failure.reason === 'permission-denied') this.server.policies.forget(this.handle.policy);
    if (failure.options.uncertain === true) await this.noteQuiet(this.parts.clock.now());
    else await this.note({ answer: 'nothing' });
  }

  /** Records that the server is quiet earlier than planned, after a call whose outcome is unknown. */
  private async noteQuiet(from: Date): Promise<void> {
    const soon = from.toISOString();
    if (soon < this.handle.quietFrom) await this.note({ quietFrom: soon });
  }

  /** Renews a lease that ends before the granted deadline, once. Returns the end of the lease. */
  private async alignLease(leaseId: string, body: Envelope): Promise<Date> {
    const now = this.parts.clock.now();
    const wanted = secondsUntil(this.order.expiresAt, now);
    const granted = body.lease_duration ?? 0;
    // a lease that cannot be renewed often cannot be shortened either: its duration is its real end
    if (granted > wanted && body.renewable !== true) throw new VaultFailure('refused', { detail: TOO_LONG });
    if (granted >= wanted) return addSeconds(now, granted);
    if (body.renewable !== true) refuseClamped(wanted, granted, body.warnings);
    const renewed = await this.server.login.call('write', 'sys/leases/renew', { lease_id: leaseId, increment: wanted });
    refuseClamped(wanted, renewed.lease_duration, renewed.warnings);
    return addSeconds(now, renewed.lease_duration ?? 0);
  }

  private signedUntil(data: Readonly<Record<string, Json>>, otherwise: Date): Date {
    if (typeof data.expiration !== 'number') return otherwise;
    const endsAt = new Date(data.expiration * 1000);
    if (endsAt > addSeconds(this.order.expiresAt, 1))
      throw new VaultFailure('bad-answer', {
        detail: 'the signed credential outlives the lease; lower the TTL of the role of the engine',
        uncertain: true,
      });
    return endsAt;
  }

  /** Records the oid of the database user, by which its sessions are found after Vault has dropped it. */
  private async keepOid(): Promise<void> {
    const { endSessions, username } = this.handle;
    if (endSessions === undefined) return;
    const related = this.order.related?.[endSessions];
    if (username === undefined || related === undefined)
      throw new VaultFailure('refused', { detail: NO_DATABASE_USER });
    const oid = await this.parts.sessions.userOid(related.config, username, AbortSignal.timeout(15_000));
    if (oid === undefined)
      throw new VaultFailure('refused', {
        detail: 'the connection in `endSessions` names another database than the engine; correct it',
      });
    await this.keep({ userOid: oid });
  }

  private refuseToBegin(now: Date): void {
    refuseLate(this.order, now);
    this.refuseAbandoned();
  }

  private refuseAbandoned(): void {
    if (this.abandoned) throw new VaultFailure('timeout');
  }

  /**
   * Commits the handle as known so far (I1). Throws `VaultFailure` when the task has ended, so that nothing more is
   * made for it.
   */
  private async keep(known: Partial<VaultHandle>): Promise<void> {
    this.handle = { ...this.handle, ...known };
    if (await this.record(this.handle)) return;
    throw new VaultFailure('too-late', { detail: 'the task ended during the mint; ask for a new task' });
  }

  /** Commits facts about a failed mint, if it can; without them revocation is slower and as certain. */
  private async note(known: Partial<VaultHandle>): Promise<void> {
    this.handle = { ...this.handle, ...known };
    await this.record(this.handle).catch(() => undefined);
  }

  /**
   * Ends what the mint made, if it can. Returns true when all of it is proven gone; otherwise revocation uses the
   * recorded handle. Leaves the token alone after a call without an answer: the revocation of a token does not end a
   * lease that is registered under it later.
   */
  private async undo({ accessor }: Token): Promise<boolean> {
    const { login } = this.server;
    const { leaseId, answer } = this.handle;
    try {
      if (leaseId !== undefined && !(await endLease(login, leaseId)).gone) return false;
      if (this.wasAsked && answer === undefined) return false;
      return await endToken(login, accessor);
    } catch {
      return false;
    }
  }
}

/**
 * Returns true when Vault itself answered and has finished the call: a gateway answers for a server that is still
 * working.
 */
function isOfVault({ status, body }: VaultAnswer): boolean {
  const isRedirect = status === 307 || status === 308;
  return isRedirect || body.errors !== undefined || (body.data ?? undefined) !== undefined;
}

/** Returns the duration and the redacted warnings of the engine's answer. */
function factsOf({ lease_duration: seconds, warnings }: Envelope): JsonObject {
  const words = (warnings ?? []).map((warning) => redact(warning));
  return { leaseDurationSeconds: seconds ?? 0, ...(words.length === 0 ? {} : { warnings: words }) };
}
