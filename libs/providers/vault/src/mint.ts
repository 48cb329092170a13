import type { Minted, RecordHandle } from '@mayfly/credentials';
import { addSeconds, earliest, type Clock, type Json, type JsonObject } from '@mayfly/kernel';
import { succeeded } from './broker-login.js';
import { failureOf, problemOf, VaultFailure } from './failures.js';
import { policyName } from './lease-policy.js';
import { refuseClamped, refuseLate, secondsUntil, type Order } from './lifetime.js';
import { endLease, endToken } from './proofs.js';
import { redact } from './redaction.js';
import type { Server } from './server.js';
import type { SessionEnding } from './session-ending.js';
import { MINT_MS, type Envelope, type VaultAnswer, type VaultClient } from './vault-client.js';
import { isSigningPath, mountOf } from './vault-path.js';
import type { VaultHandle } from './vault.schemas.js';

/** How long a server may be at work on a call, by its own bound (`default_max_request_duration`, 90 s), and a little more. */
export const QUIET_SECONDS = 95;

/** From when on nothing of a mint can be under way at the server: its last call may begin just before `mintBy`. */
export function quietFrom(mintBy: Date, quietSeconds: number): string {
  return addSeconds(mintBy, quietSeconds).toISOString();
}

const TOO_LONG =
  'the engine gives leases that outlive the task and cannot be renewed; set the time to live of its role';

/** AWS takes such a session to its end, whatever Vault says of its lease. */
function unrevocable(): VaultFailure {
  return new VaultFailure(
    'refused',
    'the engine gives AWS sessions, which Vault cannot revoke; use `aws-sts` for them',
  );
}

interface Token {
  readonly client: VaultClient;
  readonly accessor: string;
  readonly expiresAt: Date;
}

/**
 * One mint, which goes on to its end whatever becomes of its caller: a client that gives up half-way leaves database users
 * that no lease knows, and leases of which nobody knows the id.
 */
export class LeaseMint {
  private handle: VaultHandle;
  private abandoned = false;
  /** the engine has been asked, and may have acted */
  private wasAsked = false;

  constructor(
    private readonly server: Server,
    private readonly order: Order,
    planned: VaultHandle,
    private readonly record: RecordHandle<VaultHandle>,
    private readonly parts: { readonly clock: Clock; readonly sessions: SessionEnding; readonly quietSeconds: number },
  ) {
    this.handle = planned;
  }

  /** The caller has gone: nothing new is begun, and what comes into being is ended at once. */
  abandon(): void {
    this.abandoned = true;
  }

  /** Throws `Problem`. */
  async run(): Promise<Minted<VaultHandle>> {
    const { order, server } = this;
    try {
      await server.policies.ensure(server.login, order.scope);
      const token = await this.createToken();
      return await this.use(token).catch(async (error: unknown) => {
        throw problemOf(error, !(await this.undo(token)));
      });
    } catch (error) {
      throw problemOf(error);
    }
  }

  private async use(token: Token): Promise<Minted<VaultHandle>> {
    await this.keep({ accessor: token.accessor });
    const body = await this.ask(token.client);
    const { lease_id: leaseId, data } = body;
    if (!data || typeof data !== 'object') throw new VaultFailure('bad-answer', '', { uncertain: true });
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

  /** An orphan, so that no other token's end is its own; for one path; with an end that Vault itself enforces (I6). */
  private async createToken(): Promise<Token> {
    const { order, server } = this;
    const now = this.parts.clock.now();
    this.refuseToBegin(now);
    const ttl = secondsUntil(order.expiresAt, now);
    const furthest = Math.max(ttl, secondsUntil(order.maxExpiresAt ?? order.expiresAt, now));
    if (ttl < 1) throw new VaultFailure('too-late');
    const policy = policyName(order.scope);
    const body = await server.login.call('write', `auth/token/create/${order.config.tokenRole}`, {
      policies: [policy],
      no_default_policy: true,
      ttl: `${String(ttl)}s`,
      explicit_max_ttl: `${String(furthest)}s`,
      renewable: furthest > ttl,
      display_name: 'mayfly',
      meta: { lease: order.leaseId, task: order.taskId, agent: order.agent.name, template: order.template.name },
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
        throw new VaultFailure(
          'bad-answer',
          'the token role gives tokens that are no orphans, or more than they were asked for',
        );
    } catch (error) {
      await endToken(server.login, token.accessor).catch(() => false);
      throw error;
    }
    return token;
  }

  /** The one call that brings the credential into being. */
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

  /** No answer says what came of the call, but the server is quiet sooner than was planned for. */
  private async noteQuiet(from: Date): Promise<void> {
    const soon = from.toISOString();
    if (soon < this.handle.quietFrom) await this.note({ quietFrom: soon });
  }

  /** A lease that ends before the granted deadline is stretched to it, once. Gives the end of the lease. */
  private async alignLease(leaseId: string, body: Envelope): Promise<Date> {
    const now = this.parts.clock.now();
    const wanted = secondsUntil(this.order.expiresAt, now);
    const granted = body.lease_duration ?? 0;
    // What cannot be renewed often cannot be shortened either: its lease says when it really ends.
    if (granted > wanted && body.renewable !== true) throw new VaultFailure('refused', TOO_LONG);
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
      throw new VaultFailure('bad-answer', 'what was signed outlives the lease', { uncertain: true });
    return endsAt;
  }

  /** What the sessions of the user are found by once Vault has dropped it. */
  private async keepOid(): Promise<void> {
    const { endSessions, username } = this.handle;
    if (endSessions === undefined) return;
    const related = this.order.related?.[endSessions];
    if (username === undefined || related === undefined)
      throw new VaultFailure('refused', '`endSessions` needs an engine that makes database users, and its connection');
    const oid = await this.parts.sessions.userOid(related.config, username, AbortSignal.timeout(15_000));
    if (oid === undefined)
      throw new VaultFailure('refused', 'the connection in `endSessions` leads to another database than the engine');
    await this.keep({ userOid: oid });
  }

  private refuseToBegin(now: Date): void {
    refuseLate(this.order, now);
    this.refuseAbandoned();
  }

  private refuseAbandoned(): void {
    if (this.abandoned) throw new VaultFailure('timeout');
  }

  /** Commits what is known (I1). Nothing more is brought into being for a task that was ended meanwhile. */
  private async keep(known: Partial<VaultHandle>): Promise<void> {
    this.handle = { ...this.handle, ...known };
    if (await this.record(this.handle)) return;
    throw new VaultFailure('too-late', 'the task was ended meanwhile');
  }

  /** Commits what revocation should know of a mint that failed; without it, revocation is slower and as certain. */
  private async note(known: Partial<VaultHandle>): Promise<void> {
    this.handle = { ...this.handle, ...known };
    await this.record(this.handle).catch(() => undefined);
  }

  /**
   * Ends at once what came into being, as far as that can be done now, and says whether all of it is proven gone; if not,
   * revocation has the handle. A token whose call was lost is left alone until the server is quiet: a lease that is
   * registered under a token already revoked is one that nothing takes along.
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

/** Whether Vault itself answered, and is done with the call: a gateway answers for a server that is still at work. */
function isOfVault({ status, body }: VaultAnswer): boolean {
  const isRedirect = status === 307 || status === 308;
  return isRedirect || body.errors !== undefined || (body.data ?? undefined) !== undefined;
}

/** What the engine said of its answer that is worth keeping. */
function factsOf({ lease_duration: seconds, warnings }: Envelope): JsonObject {
  const words = (warnings ?? []).map((warning) => redact(warning));
  return { leaseDurationSeconds: seconds ?? 0, ...(words.length === 0 ? {} : { warnings: words }) };
}
