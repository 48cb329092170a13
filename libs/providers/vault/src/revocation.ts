import type { RevocationOrder, RevocationOutcome } from '@mayfly/credentials';
import { addSeconds, Problem, type Clock } from '@mayfly/kernel';
import { failureFrom, type VaultReason } from './failures.js';
import { endLease, endToken, lookForPending } from './proofs.js';
import type { Server } from './server.js';
import type { SessionEnding } from './session-ending.js';
import { mountOf } from './vault-path.js';
import type { VaultConfig, VaultHandle } from './vault.schemas.js';

type Order = RevocationOrder<VaultConfig, VaultHandle>;

/** Retry delay when a person must act first, or when Vault itself retries only once a day. */
const STUCK_RETRY_SECONDS = 300;
const QUEUE_RETRY_SECONDS = 1;
/** Timeout of the database query before Vault is called, which needs the rest of the deadline. */
const USER_LOOK_MS = 3_000;
/** Tolerated difference between the server's clock and ours. */
const CLOCK_SLACK_SECONDS = 300;

interface Parts {
  readonly clock: Clock;
  readonly sessions: SessionEnding;
}

/** Input of one revocation. */
interface Call {
  readonly server: Server;
  readonly order: Order;
  readonly accessor: string;
  readonly parts: Parts;
  readonly signal: AbortSignal;
}

/** Ends the credential of a handle and returns the proven outcome. Never throws. */
export async function revokeHandle(
  server: Server,
  order: Order,
  parts: Parts,
  signal: AbortSignal,
): Promise<RevocationOutcome> {
  const { handle, config } = order;
  const { accessor } = handle;
  // without an accessor the engine was never called: at most an unused token without a lease exists
  if (accessor === undefined) return { kind: 'already_gone' };
  try {
    const engine = mountOf(handle.path, config.engines);
    return await server.revocations.run(engine, config.concurrency, () => {
      signal.throwIfAborted();
      return endAll({ server, order, accessor, parts, signal });
    });
  } catch (error) {
    return unknown(error);
  }
}

/** Failures of the whole server or of the login: no other lease can be ended there either. */
const UNREACHED: readonly VaultReason[] = ['sealed', 'standby', 'unreachable', 'login-lost'];

function unknown(error: unknown): RevocationOutcome {
  if (error instanceof Problem) return { kind: 'unknown', detail: error.detail };
  const { detail, reason, retryAfterSeconds } = failureFrom(error);
  return {
    ...{ kind: 'unknown', detail },
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(UNREACHED.includes(reason) ? { unreached: true } : {}),
  };
}

function endAll(call: Call): Promise<RevocationOutcome> {
  const { leaseId, answer } = call.order.handle;
  if (leaseId !== undefined) return endKnownLease(call, leaseId);
  return answer === undefined ? endUnknownLease(call) : endTokenOnly(call, answer === 'signed');
}

async function endKnownLease(call: Call, leaseId: string): Promise<RevocationOutcome> {
  const { server, accessor, parts, signal } = call;
  // throw the database's error at the end: it must not keep lease and token alive
  const [user] = await Promise.allSettled([userOf(call)]);
  const lease = await endLease(server.login, leaseId);
  if (lease.irrevocable !== undefined) return stuck(lease.irrevocable);
  if (!lease.gone) return soon('vault has queued the revocation');
  const isTokenGone = await endToken(server.login, accessor);
  // end the sessions only now, when the user can no longer log in
  if (user.status === 'rejected') throw user.reason;
  if (user.value !== undefined) await parts.sessions.endSessions(user.value.config, user.value, signal);
  return isTokenGone ? { kind: 'revoked' } : soon('the lease is revoked; its token is not yet');
}

/**
 * Returns the user whose sessions must be ended, with its connection; undefined when there is none. Reads an unknown
 * oid while the user still exists. A mint returns its secret only after it recorded the oid, so that every session can
 * be found. Throws `provider_unavailable` when the connection cannot be read.
 */
async function userOf({ order, parts, signal }: Call) {
  const { endSessions, username: name, userOid } = order.handle;
  if (endSessions === undefined || name === undefined) return undefined;
  const connection = order.related?.[endSessions];
  if (connection === undefined) throw new Problem('provider_unavailable', unreadable(endSessions));
  const asking = AbortSignal.any([signal, AbortSignal.timeout(USER_LOOK_MS)]);
  const oid = userOid ?? (await parts.sessions.userOid(connection.config, name, asking));
  return { config: connection.config, name, ...(oid === undefined ? {} : { oid }) };
}

function unreadable(connection: string): string {
  return `lease and token are revoked, but open sessions may live on: Mayfly cannot read the connection \`${connection}\`, which ends them; check its secret and its configuration`;
}

/** Ends the token of a mint without a lease. A signed credential lives to its expiry, whatever happens to the token. */
async function endTokenOnly({ server, accessor }: Call, isSigned: boolean): Promise<RevocationOutcome> {
  if (!(await endToken(server.login, accessor))) return soon('the token is not revoked yet');
  return { kind: isSigned ? 'impossible' : 'already_gone' };
}

/**
 * Ends a mint whose answer was lost. Revokes the token, and with it its leases, once the server cannot be working on
 * the mint any more.
 */
async function endUnknownLease({ server, order, accessor, parts }: Call): Promise<RevocationOutcome> {
  const { path, issuedAt, ...handle } = order.handle;
  const quietFrom = new Date(handle.quietFrom);
  const seconds = Math.ceil((quietFrom.getTime() - parts.clock.now().getTime()) / 1000);
  if (seconds > 0) return soon(OUTSTANDING, Math.min(seconds, 5));
  if (!(await endToken(server.login, accessor))) return soon('the token is not revoked yet');
  const look = await lookForPending(server.login, path, {
    from: addSeconds(new Date(issuedAt), -CLOCK_SLACK_SECONDS),
    to: addSeconds(quietFrom, CLOCK_SLACK_SECONDS),
  });
  if (look === 'none') return { kind: 'revoked' };
  if (look === 'some') return soon('the token is revoked; vault is still revoking the leases that it may have made');
  if (typeof look === 'object') return stuck(look.irrevocable);
  const detail = `the token is revoked and vault has queued the leases that it made; Mayfly cannot read them: ${UNSEEN[look]}`;
  return { kind: 'unknown', detail, retryAfterSeconds: STUCK_RETRY_SECONDS };
}

const OUTSTANDING = 'the mint has not answered yet; Mayfly revokes its token when no call with it can be in progress';

const UNSEEN = {
  'no-right': "the broker's policy lacks `list` and `sudo` on `sys/leases/lookup/<path>/`",
  'too-many': 'the path has too many leases',
} as const;

function soon(detail: string, retryAfterSeconds = QUEUE_RETRY_SECONDS): RevocationOutcome {
  return { kind: 'not_yet', detail, retryAfterSeconds };
}

function stuck(words: string): RevocationOutcome {
  const detail = `vault marked the lease as irrevocable (vault says: ${words}); remove the cause, then revoke it there`;
  return { kind: 'unknown', detail, retryAfterSeconds: STUCK_RETRY_SECONDS };
}
