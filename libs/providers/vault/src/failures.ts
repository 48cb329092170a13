import { Problem } from '@mayfly/kernel';
import { redact } from './redaction.js';
import { NoAnswer } from './transport.js';
import type { VaultAnswer } from './vault-client.js';

/** The cause of a failure at the server or on the way to it: the `reason` of problems. */
export type VaultReason =
  | 'sealed'
  | 'standby'
  | 'rate-limited'
  | 'permission-denied'
  | 'namespace-missing'
  | 'not-found'
  | 'refused'
  | 'engine-unavailable'
  | 'login-lost'
  | 'clamped-lifetime'
  | 'static-secret'
  | 'bad-answer'
  | 'timeout'
  | 'unreachable'
  | 'address-refused'
  | 'too-late';

interface Meaning {
  readonly detail: string;
  /** the delay before a retry; set when a retry can succeed without a change */
  readonly retryAfterSeconds?: number;
}

const MEANINGS: Readonly<Record<VaultReason, Meaning>> = {
  sealed: { detail: 'vault is sealed; unseal it', retryAfterSeconds: 10 },
  standby: { detail: 'the vault node is a standby that forwards no request; try again soon', retryAfterSeconds: 5 },
  'rate-limited': { detail: 'vault limits the rate of requests; try again later', retryAfterSeconds: 5 },
  'permission-denied': { detail: "vault denied the request; compare the broker's policy with docs/connect-vault.md" },
  'namespace-missing': { detail: 'vault does not have the namespace; change `namespace` of the connection' },
  'not-found': { detail: 'vault does not have the engine or role; change `path` of the scope' },
  refused: { detail: 'vault refused the request; check the scope and the connection' },
  'engine-unavailable': {
    detail: 'the secrets engine failed; check the systems that it depends on',
    retryAfterSeconds: 10,
  },
  'login-lost': { detail: 'vault refuses the login of the connection; change its `auth`', retryAfterSeconds: 30 },
  'clamped-lifetime': { detail: 'vault shortened the lifetime; raise the maximum there or ask for less' },
  'static-secret': { detail: 'the path has a static secret, which cannot be revoked; name a path of a dynamic engine' },
  'bad-answer': {
    detail: 'the answer is not one of a vault; check `address`',
    retryAfterSeconds: 10,
  },
  timeout: { detail: 'vault did not answer in time; try again later', retryAfterSeconds: 5 },
  unreachable: { detail: 'vault cannot be reached; check `address` and the network', retryAfterSeconds: 5 },
  'address-refused': {
    detail:
      'the name in `address` resolves to a metadata service or a link-local address, which no setting allows; use another',
  },
  'too-late': {
    detail: 'the mint deadline passed before Vault was called; try again',
    retryAfterSeconds: 1,
  },
};

interface FailureOptions {
  /** Mayfly's text for this case, with the fact and the change; it replaces the text of the reason */
  readonly detail?: string;
  /** words that the server sent, already redacted; they are shown as the server's */
  readonly serverWords?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** the server may have acted on the call */
  readonly uncertain?: boolean;
  /** the answer says that the token is unknown, expired or revoked */
  readonly tokenDead?: boolean;
}

/** A failure inside the provider: its reason, and whether the server may have acted. */
export class VaultFailure extends Error {
  constructor(
    readonly reason: VaultReason,
    readonly options: FailureOptions = {},
  ) {
    super(reason);
  }

  /** Mayfly's text, then the words that the server sent, if any. Names no value of the configuration. */
  get detail(): string {
    const detail = this.options.detail ?? MEANINGS[this.reason].detail;
    const { serverWords = '' } = this.options;
    return serverWords === '' ? detail : `${detail} (vault says: ${serverWords})`;
  }

  get retryAfterSeconds(): number | undefined {
    return this.options.retryAfterSeconds ?? MEANINGS[this.reason].retryAfterSeconds;
  }
}

/** Returns a failure for another reason that keeps only the words of the server. */
export function withReason({ options: { serverWords } }: VaultFailure, reason: VaultReason): VaultFailure {
  return new VaultFailure(reason, { serverWords });
}

/** Vault's exact answer to a token that is unknown, expired or revoked; a policy that denies has other words. */
const DEAD_TOKEN = 'permission denied';

const BY_STATUS: Readonly<Record<number, VaultReason>> = {
  307: 'standby',
  308: 'standby',
  403: 'permission-denied',
  404: 'not-found',
  429: 'rate-limited',
  472: 'standby',
  473: 'standby',
  502: 'unreachable',
  503: 'unreachable',
  504: 'unreachable',
};

const isUncertain = (reason: VaultReason, status: number): boolean => reason === 'engine-unavailable' || status >= 500;

/** Converts an answer of failure. Vault has no codes: when one status has several meanings, Vault's words decide. */
export function failureOf({ status, body, retryAfterSeconds }: VaultAnswer): VaultFailure {
  const text = (body.errors ?? []).join('; ');
  const reason = reasonOf(status, text);
  const serverWords = ['refused', 'engine-unavailable'].includes(reason) ? redact(text) : '';
  const uncertain = isUncertain(reason, status) && reason !== 'sealed';
  return new VaultFailure(reason, {
    serverWords,
    retryAfterSeconds,
    uncertain,
    tokenDead: status === 403 && text === DEAD_TOKEN,
  });
}

/** The words that decide when the status leaves the reason open; the first match counts. */
const BY_WORDS: readonly (readonly [status: number, words: RegExp, reason: VaultReason])[] = [
  [404, /namespace not found/, 'namespace-missing'],
  [503, /sealed/, 'sealed'],
  [400, /unknown role|unsupported path|no handler for route/, 'not-found'],
  [500, /active (cluster )?node/, 'standby'],
];

function reasonOf(status: number, text: string): VaultReason {
  const told = BY_WORDS.find(([of, words]) => of === status && words.test(text));
  const known = told?.[2] ?? BY_STATUS[status];
  if (known !== undefined) return known;
  if (status >= 500) return 'engine-unavailable';
  return status >= 400 ? 'refused' : 'bad-answer';
}

const UNTRUSTED =
  'Mayfly does not trust the certificate of vault; check `address`, `tls.ca` and the dates of the certificate';

const BY_SILENCE: Readonly<Record<NoAnswer['why'], VaultReason>> = {
  timeout: 'timeout',
  'bad-answer': 'bad-answer',
  'address-refused': 'address-refused',
  unreachable: 'unreachable',
  'connection-lost': 'unreachable',
  certificate: 'unreachable',
};

/** Converts an error that was thrown in place of an answer. */
export function failureFrom(error: unknown): VaultFailure {
  if (error instanceof VaultFailure) return error;
  if (error instanceof Problem)
    return new VaultFailure('login-lost', { detail: error.detail, retryAfterSeconds: error.retryAfterSeconds });
  if (!(error instanceof NoAnswer)) return new VaultFailure('bad-answer', { uncertain: true });
  const detail = error.why === 'certificate' ? { detail: UNTRUSTED } : {};
  return new VaultFailure(BY_SILENCE[error.why], { ...detail, uncertain: error.sent });
}

const TEMPORARY: readonly VaultReason[] = [
  'sealed',
  'standby',
  'rate-limited',
  'engine-unavailable',
  'timeout',
  'unreachable',
];

/**
 * Returns the problem that callers see. `provider_rejected` means that nothing usable was made. Drops the cause,
 * because answers of Vault quote paths, names and drivers.
 */
export function problemFrom(error: unknown, isUnknown = false): Problem {
  if (error instanceof Problem) return error;
  const failure = failureFrom(error);
  const { reason, detail, retryAfterSeconds } = failure;
  const code =
    isUnknown || failure.options.uncertain === true || TEMPORARY.includes(reason)
      ? 'provider_unavailable'
      : 'provider_rejected';
  return new Problem(code, detail, { reason, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) });
}
