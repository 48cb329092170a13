import type { BrokerLogin } from './broker-login.js';
import { failureOf, VaultFailure } from './failures.js';
import { redact } from './redaction.js';
import type { VaultAnswer } from './vault-client.js';

/** How a lease stands after it was told to end. */
export interface LeaseState {
  readonly gone: boolean;
  /** Vault has given up on it and tries no more than once a day; its own words, redacted */
  readonly irrevocable?: string;
}

/**
 * Revokes a lease, waits for it, and looks. `gone` is proven by the look alone: Vault answers 204 for leases that it does
 * not know, 202 when it has only queued the work, and 400 both for a lease that is gone and for an engine that failed.
 * Throws `VaultFailure` where nothing is proven.
 */
export async function endLease(login: BrokerLogin, leaseId: string): Promise<LeaseState> {
  const answer = await login.ask('write', 'sys/leases/revoke', { lease_id: leaseId, sync: true });
  const refusal = isDone(answer) ? undefined : failureOf(answer);
  const state = await lookUpLease(login, leaseId);
  if (refusal === undefined || state.gone || state.irrevocable !== undefined) return state;
  throw refusal.reason === 'refused' ? new VaultFailure('engine-unavailable', refusal.words) : refusal;
}

async function lookUpLease(login: BrokerLogin, leaseId: string): Promise<LeaseState> {
  const answer = await login.ask('write', 'sys/leases/lookup', { lease_id: leaseId });
  if (saysExactly(answer, [400], 'invalid lease')) return { gone: true };
  if (answer.status !== 200) throw failureOf(answer);
  const error = answer.body.data?.revoke_error ?? answer.body.revoke_error;
  return { gone: false, ...(typeof error === 'string' ? { irrevocable: redact(error) } : {}) };
}

/** Revokes a token by its accessor and looks. True when it is proven gone. Its leases are queued by then, not gone. */
export async function endToken(login: BrokerLogin, accessor: string): Promise<boolean> {
  const answer = await login.ask('write', 'auth/token/revoke-accessor', { accessor });
  const lookup = await login.ask('write', 'auth/token/lookup-accessor', { accessor });
  if (saysExactly(lookup, [400, 403, 404], 'invalid accessor')) return true;
  if (lookup.status !== 200) throw failureOf(isDone(answer) ? lookup : answer);
  return false;
}

/** Whether leases that are about to end stand at a path, issued within a span of time. */
export type PendingLook = 'none' | 'some' | 'no-right' | 'too-many' | { readonly irrevocable: string };

export interface IssueSpan {
  readonly from: Date;
  readonly to: Date;
}

const MAX_LOOKS = 1_000;

/**
 * Vault marks every lease of a token as ended before it forgets the token. So, once a token is gone, whatever is left of it
 * stands at its path with no time to live; leases that live on belong to others.
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

/** Whether the answer is exactly this refusal; the status alone proves nothing. */
function saysExactly({ status, body }: VaultAnswer, statuses: readonly number[], words: string): boolean {
  const [error, ...others] = body.errors ?? [];
  const text = (error ?? '').replace(/^1 error occurred:\s*\*\s*/, '').trim();
  return statuses.includes(status) && others.length === 0 && text === words;
}
