import type { BrokerLogin } from './broker-login.js';
import { failureOf, withReason } from './failures.js';
import { redact } from './redaction.js';
import type { VaultAnswer } from './vault-client.js';

/** The state of a lease after its revocation. */
export interface VaultLeaseState {
  readonly gone: boolean;
  /** set when Vault holds the lease to be irrevocable and retries at most once a day: its own words, redacted */
  readonly irrevocable?: string;
}

/**
 * Revokes a lease, waits for it, and looks it up. Only the look-up proves `gone`: the revocation answers 204 for
 * unknown leases, 202 when it has only queued the work, and 400 both for a lease that is gone and for an engine that
 * failed. Throws `VaultFailure` when nothing is proven.
 */
export async function endLease(login: BrokerLogin, leaseId: string): Promise<VaultLeaseState> {
  const answer = await login.ask('write', 'sys/leases/revoke', { lease_id: leaseId, sync: true });
  const refusal = isDone(answer) ? undefined : failureOf(answer);
  const state = await lookUpLease(login, leaseId);
  if (refusal === undefined || state.gone || state.irrevocable !== undefined) return state;
  throw refusal.reason === 'refused' ? withReason(refusal, 'engine-unavailable') : refusal;
}

async function lookUpLease(login: BrokerLogin, leaseId: string): Promise<VaultLeaseState> {
  const answer = await login.ask('write', 'sys/leases/lookup', { lease_id: leaseId });
  if (saysExactly(answer, [400], 'invalid lease')) return { gone: true };
  if (answer.status !== 200) throw failureOf(answer);
  const error = answer.body.data?.revoke_error ?? answer.body.revoke_error;
  return { gone: false, ...(typeof error === 'string' ? { irrevocable: redact(error) } : {}) };
}

/**
 * Revokes a token by its accessor and looks it up. Returns true when the token is proven gone; its leases are then
 * queued for revocation, not gone.
 */
export async function endToken(login: BrokerLogin, accessor: string): Promise<boolean> {
  const answer = await login.ask('write', 'auth/token/revoke-accessor', { accessor });
  const lookup = await login.ask('write', 'auth/token/lookup-accessor', { accessor });
  if (saysExactly(lookup, [400, 403, 404], 'invalid accessor')) return true;
  if (lookup.status !== 200) throw failureOf(isDone(answer) ? lookup : answer);
  return false;
}

/** Returns the facts of a token, or undefined when it is proven gone. Throws `VaultFailure`. */
export async function findToken(
  login: BrokerLogin,
  accessor: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const lookup = await login.ask('write', 'auth/token/lookup-accessor', { accessor });
  if (saysExactly(lookup, [400, 403, 404], 'invalid accessor')) return undefined;
  if (lookup.status !== 200) throw failureOf(lookup);
  return lookup.body.data ?? {};
}

/** Result of the search at one path for leases that Vault is still revoking, issued within a span of time. */
export type PendingLook = 'none' | 'some' | 'no-right' | 'too-many' | { readonly irrevocable: string };

/** A span of time in which a lease was issued. */
export interface IssueSpan {
  readonly from: Date;
  readonly to: Date;
}

const MAX_LOOKS = 1_000;

/**
 * Searches a path for leases that Vault is still revoking. Vault marks every lease of a token as ended before it
 * forgets the token. So, once a token is gone, its remaining leases have no time to live; leases with time to live
 * belong to other tokens.
 */
export async function lookForPending(login: BrokerLogin, path: string, span: IssueSpan): Promise<PendingLook> {
  const list = await login.ask('list', `sys/leases/lookup/${path}`);
  if (list.status === 404) return 'none';
  if (list.status === 403) return 'no-right';
  if (list.status !== 200) throw failureOf(list);
  const keys = Array.isArray(list.body.data?.keys) ? list.body.data.keys.map(String) : [];
  const ids = keys.filter((key) => !key.endsWith('/')).map((key) => `${path}/${key}`);
  if (ids.length > MAX_LOOKS) return 'too-many';
  let found: PendingLook = 'none';
  for (const id of ids) {
    const state = await pendingState(login, id, span);
    if (typeof state === 'object') return state;
    if (state === 'some') found = state;
  }
  return found;
}

async function pendingState(login: BrokerLogin, leaseId: string, span: IssueSpan): Promise<PendingLook> {
  const answer = await login.ask('write', 'sys/leases/lookup', { lease_id: leaseId });
  if (saysExactly(answer, [400], 'invalid lease')) return 'none';
  if (answer.status !== 200) throw failureOf(answer);
  const { issue_time: issueTime, ttl, revoke_error: error } = answer.body.data ?? {};
  const issuedAt = new Date(typeof issueTime === 'string' ? issueTime : '');
  if (issuedAt < span.from || issuedAt > span.to) return 'none';
  if (typeof error === 'string') return { irrevocable: redact(error) };
  return typeof ttl === 'number' && ttl > 0 ? 'none' : 'some';
}

function isDone({ status }: VaultAnswer): boolean {
  return status === 200 || status === 202 || status === 204;
}

/** Returns true when the answer is exactly this refusal; the status alone proves nothing. */
function saysExactly({ status, body }: VaultAnswer, statuses: readonly number[], words: string): boolean {
  const [error, ...others] = body.errors ?? [];
  const text = (error ?? '').replace(/^1 error occurred:\s*\*\s*/, '').trim();
  return statuses.includes(status) && others.length === 0 && text === words;
}
