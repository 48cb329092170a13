import type { RevocationOrder, RevocationOutcome } from '@mayfly/credentials';
import { addSeconds, Problem, type Clock } from '@mayfly/kernel';
import { failureFrom, VaultFailure } from './failures.js';
import { endLease, endToken, lookForPending } from './proofs.js';
import type { Server } from './server.js';
import type { SessionEnding } from './session-ending.js';
import { mountOf } from './vault-path.js';
import type { VaultConfig, VaultHandle } from './vault.schemas.js';

type Order = RevocationOrder<VaultConfig, VaultHandle>;

/** A person has to act first, or Vault tries again by itself once a day. */
const STUCK_RETRY_SECONDS = 300;
const QUEUE_RETRY_SECONDS = 1;
/** How far the server's clock may be from ours. */
const CLOCK_SLACK_SECONDS = 300;

interface Parts {
  readonly clock: Clock;
  readonly sessions: SessionEnding;
}

/** Ends what a handle names and says what is proven. Never throws. */
export async function revokeHandle(
  server: Server,
  order: Order,
  parts: Parts,
  signal: AbortSignal,
): Promise<RevocationOutcome> {
  const { handle, config } = order;
  // without an accessor no secret was ever asked for: at most a token that holds nothing, of which nobody knows
  if (handle.accessor === undefined) return { kind: 'already_gone' };
  try {
    const engine = mountOf(handle.path, config.engines);
    return await server.revocations.run(engine, config.concurrency, () => {
      signal.throwIfAborted();
      return endAll(server, order, parts, signal);
    });
  } catch (error) {
    return unknown(error);
  }
}

function unknown(error: unknown): RevocationOutcome {
  if (error instanceof Problem) return { kind: 'unknown', detail: error.detail };
  const { detail, retryAfterSeconds } = failureFrom(error);
  return { kind: 'unknown', detail, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
}

function endAll(server: Server, order: Order, parts: Parts, signal: AbortSignal): Promise<RevocationOutcome> {
  const { leaseId, answer } = order.handle;
  if (leaseId !== undefined) return endKnownLease(server, order, parts, signal);
  if (answer === 'signed' || answer === 'nothing') return endTokenOnly(server, order);
  return endUnknownLease(server, order, parts);
}

async function endKnownLease(
  server: Server,
  order: Order,
  parts: Parts,
  signal: AbortSignal,
): Promise<RevocationOutcome> {
  const { handle } = order;
  const user = await userOf(order, parts, signal);
  const lease = await endLease(server.login, handle.leaseId!);
  if (lease.irrevocable !== undefined) return stuck(lease.irrevocable);
  if (!lease.gone)
    return { kind: 'not_yet', detail: 'vault has queued the revocation', retryAfterSeconds: QUEUE_RETRY_SECONDS };
  const isTokenGone = await endToken(server.login, handle.accessor!);
  // only now, so that nobody can log in any more who would have to be ended again
  if (user !== undefined) await parts.sessions.endSessions(user.config, user, signal);
  if (isTokenGone) return { kind: 'revoked' };
  return { kind: 'not_yet', detail: 'the lease is gone, its token is not yet', retryAfterSeconds: QUEUE_RETRY_SECONDS };
}

/** Whose sessions have to be ended, and where. The oid is asked for while the user is still there, if it is not known. */
async function userOf({ handle, related }: Order, { sessions }: Parts, signal: AbortSignal) {
  const { endSessions, username: name, userOid } = handle;
  if (endSessions === undefined || name === undefined) return undefined;
  const connection = related?.[endSessions];
  if (connection === undefined)
    throw new VaultFailure('refused', 'the connection whose sessions are to be ended cannot be read');
  const oid = userOid ?? (await sessions.userOid(connection.config, name, signal));
  return { config: connection.config, name, ...(oid === undefined ? {} : { oid }) };
}

/** No lease was made: what was signed lives to its expiry, whatever becomes of the token that asked for it. */
async function endTokenOnly(server: Server, { handle }: Order): Promise<RevocationOutcome> {
  if (!(await endToken(server.login, handle.accessor!)))
    return { kind: 'not_yet', detail: 'the token is not gone yet', retryAfterSeconds: QUEUE_RETRY_SECONDS };
  return { kind: handle.answer === 'signed' ? 'impossible' : 'already_gone' };
}

/** The answer to the mint never came: the token takes its leases along, once nothing more can be made with it. */
async function endUnknownLease(server: Server, { handle }: Order, { clock }: Parts): Promise<RevocationOutcome> {
  const quietFrom = new Date(handle.quietFrom);
  const seconds = Math.ceil((quietFrom.getTime() - clock.now().getTime()) / 1000);
  if (seconds > 0)
    return {
      kind: 'not_yet',
      detail:
        'the answer to the mint is outstanding; its token is revoked when no call of it can be under way any more',
      retryAfterSeconds: Math.min(seconds, 5),
    };
  if (!(await endToken(server.login, handle.accessor!)))
    return { kind: 'not_yet', detail: 'the token is not gone yet', retryAfterSeconds: QUEUE_RETRY_SECONDS };
  const span = {
    from: addSeconds(new Date(handle.issuedAt), -CLOCK_SLACK_SECONDS),
    to: addSeconds(quietFrom, CLOCK_SLACK_SECONDS),
  };
  const look = await lookForPending(server.login, handle.path, span);
  if (look === 'none') return { kind: 'revoked' };
  if (look === 'some')
    return {
      kind: 'not_yet',
      detail: 'the token is gone; leases that it may have made are still being revoked',
      retryAfterSeconds: QUEUE_RETRY_SECONDS,
    };
  if (typeof look === 'object') return stuck(look.irrevocable);
  return {
    kind: 'unknown',
    detail:
      'the token is gone and vault has queued what it made, which cannot be looked at: ' +
      (look === 'no-right'
        ? "the broker's policy lacks `list` and `sudo` on `sys/leases/lookup/<path>/`"
        : 'the path has too many leases'),
    retryAfterSeconds: STUCK_RETRY_SECONDS,
  };
}

function stuck(words: string): RevocationOutcome {
  const detail = `vault holds the lease to be irrevocable (vault says: ${words}); revoke it there once its cause is gone`;
  return { kind: 'unknown', detail, retryAfterSeconds: STUCK_RETRY_SECONDS };
}
