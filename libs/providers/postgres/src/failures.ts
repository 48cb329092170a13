import { EgressRefused } from '@mayfly/egress';
import { Problem, systemCodeOf } from '@mayfly/kernel';
import { NotConnected, StepFailure } from './errors.js';

/** SQLSTATEs that Mayfly's own statements raise. */
export const TOO_LATE = 'MF001';
export const NOT_ALIVE = 'MF002';
export const CLOCK_BEHIND = 'MF003';
export const NO_CAPACITY = 'MF004';
export const UNPINNED = 'MF005';

/** SQLSTATEs of PostgreSQL that the code branches on (PostgreSQL manual, Appendix A). */
export const UNDEFINED_OBJECT = '42704';
/** the name exists: 42710 at once, 23505 when another transaction committed it while the statement waited */
export const NAME_TAKEN: readonly string[] = ['42710', '23505'];
export const DEPENDENT_OBJECTS = '2BP01';
/** the server's lock table is full */
export const OUT_OF_LOCKS = '53200';
export const INSUFFICIENT_PRIVILEGE = '42501';
/** another session locks or has just changed the object: lock_timeout, `tuple concurrently updated`, deadlock */
export const IN_THE_WAY: readonly string[] = ['55P03', 'XX000', '40P01'];

/** SQLSTATE classes that prove that the server rolled back the whole message or refused the login. */
const NOTHING_DONE = /^(0A|0L|22|23|28|3D|42|MF)/;

/**
 * SQLSTATEs that prove that the server rolled back the whole message, besides `NOTHING_DONE`: the object is in use or
 * has dependents, and an internal lock or entry was not to be had.
 */
const ROLLED_BACK: readonly string[] = [...IN_THE_WAY, DEPENDENT_OBJECTS, OUT_OF_LOCKS];

/** The detail for a pooler in transaction or statement mode. */
export const SHARED_SESSIONS =
  'a pooler between Mayfly and the database can change the session after each transaction, so the settings that Mayfly made do not hold; use a pooler in session mode, or connect directly';

const FUNCTIONS_GONE =
  'the database no longer has the functions of Mayfly, or has other ones; run docs/postgres-functions.sql there again';

const DETAILS: Readonly<Record<string, string>> = {
  [TOO_LATE]: 'the database was reached or became free only after the deadline, and nothing was changed; try again',
  [NOT_ALIVE]: 'the credential has ended and cannot be renewed; ask for a new task',
  [CLOCK_BEHIND]: 'the clocks of the database and of Mayfly differ by more than 2 s; correct the wrong clock',
  [UNPINNED]: SHARED_SESSIONS,
  [UNDEFINED_OBJECT]:
    'the database lacks a role or a setting that Mayfly named; check `options` in the `url` of the connection, or ask for a new task',
  '42883': FUNCTIONS_GONE,
  '3F000': FUNCTIONS_GONE,
  '28P01': 'the database refused the login of the connection; change its `url`',
  '28000': 'the database refused the login of the connection; change its `url`',
  '3D000': 'the database of the connection does not exist; change its `url`',
  [INSUFFICIENT_PRIVILEGE]:
    'the role of the connection lacks a right at the database; grant it as docs/connect-postgres.md says',
};

/** Codes for errors that the driver and its pool report as text only. */
const NO_TIME_LEFT = 'aborted';
const BROKEN_OFF = 'ECONNRESET';
const TIMED_OUT =
  /^(timeout expired|timeout exceeded when trying to connect|Connection terminated due to connection timeout)$/;
const TERMINATED = /^Connection terminated( unexpectedly)?$/;
const NO_ANSWER = 'the database of the connection did not answer in time';

/** OpenSSL's codes for a certificate chain without a trusted root. */
const UNTRUSTED = Object.fromEntries(
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'CERT_SIGNATURE_FAILURE',
  ].map((code) => [
    code,
    'an unknown authority signed the certificate of the database; set `sslRootCert` to the certificate of that authority',
  ]),
);
const TLS_CODES = /^(ERR_(TLS|SSL)_|EPROTO$|[A-Z_]*(CERT|LEAF_SIGNATURE|CRL)|HOSTNAME_MISMATCH)/;
const OTHER_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';

/** Codes of the operating system, the driver and the server that mean that no session was opened. */
const UNREACHED: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host of the connection has no address; change its `url`',
  ECONNREFUSED: 'nothing listens at the host and port of the connection; start the database or change its `url`',
  EHOSTUNREACH: 'the host of the connection cannot be reached; check `url` and the network',
  ETIMEDOUT: 'the host of the connection does not answer; check `url` and the network',
  '53300':
    'the database has no connection slot left; raise max_connections, or reserve some as docs/connect-postgres.md says',
  [OUT_OF_LOCKS]: 'the lock table of the database is full; raise max_locks_per_transaction',
  '08P01': 'the database, or a pooler in front of it, accepts no login; check its log',
  ...UNTRUSTED,
  CERT_HAS_EXPIRED: 'the certificate of the database has expired; renew it there',
  [OTHER_NAME]:
    'the certificate of the database is for another host; use a host that it names, in `url` and `address`, or sslmode=verify-ca',
};

/** Codes of faults that pass without a change. */
const PASSING: Readonly<Record<string, string>> = {
  [BROKEN_OFF]: 'the database closed the connection before it answered',
  '57P03': 'the database is starting or shutting down',
  [NO_TIME_LEFT]: NO_ANSWER,
};

/** The remedy of a fault that passes: a request is repeated by the caller, a revocation by Mayfly. */
type Retry = 'try again later' | typeof MAYFLY_RETRIES;
export const MAYFLY_RETRIES = 'wait, Mayfly tries again';

/** Faults of the configuration without a code of their own, recognised by the error's text, which is never shown. */
const SAID = [
  { said: /^transaction blocks not allowed in statement pooling mode/, words: SHARED_SESSIONS },
  {
    said: /^unsupported startup parameter/,
    words:
      'a pooler between Mayfly and the database refuses the settings of a session (08P01); connect directly, or use a pooler in session mode that ignores the startup parameter `options` (PgBouncer: ignore_startup_parameters)',
  },
  {
    said: /^The server does not support SSL connections$/,
    words:
      'the database accepts no encrypted connection, and the sslmode in `url` requires one; switch `ssl` on there, or change the sslmode',
  },
];

/**
 * Returns the error in Mayfly's words, with its code. `retry` tells who repeats the work after a fault that passes.
 * Never returns the text of the server or driver, which may hold a secret.
 */
export function explain(error: unknown, retry: Retry = 'try again later'): string {
  const cause = error instanceof NotConnected ? error.cause : error;
  if (cause instanceof Problem || cause instanceof StepFailure) return cause.detail;
  if (cause instanceof EgressRefused) return cause.message;
  const told = faultSaid(cause);
  if (told !== undefined) return told;
  const code = codeTold(cause);
  const passing = PASSING[code];
  if (passing !== undefined) return `${passing}; ${retry} (${code})`;
  const words = DETAILS[code] ?? UNREACHED[code];
  return words === undefined ? otherFault(code) : `${words} (${code})`;
}

/**
 * SQLSTATEs have five characters, as have some codes of the operating system; those begin with E, and no class does.
 */
const SQLSTATE = /^(?!E)[0-9A-Z]{5}$/;

/** Returns the text for a code that Mayfly has no own text for. Only an SQLSTATE is an answer of the database. */
function otherFault(code: string): string {
  return SQLSTATE.test(code)
    ? `the database answered SQLSTATE ${code}; look for the reason in its log`
    : `the call to the database failed before an answer came (${code}); check \`url\`, the network and the database`;
}

function faultSaid(cause: unknown): string | undefined {
  return SAID.find(({ said }) => said.test(textOf(cause)))?.words;
}

/** Returns a code for timeouts and broken connections, which the driver reports as text only; otherwise `codeOf`. */
function codeTold(cause: unknown): string {
  const isLate = typeof cause === 'object' && cause !== null && 'name' in cause && cause.name === 'TimeoutError';
  if (isLate || TIMED_OUT.test(textOf(cause))) return NO_TIME_LEFT;
  return TERMINATED.test(textOf(cause)) ? BROKEN_OFF : codeOf(cause);
}

/** Returns the error's text for comparison only; it must never be shown. */
export function textOf(error: unknown): string {
  const text = typeof error === 'object' && error !== null && 'message' in error ? error.message : undefined;
  return typeof text === 'string' ? text : '';
}

/** True when the TLS that the client asked for could not be set up. */
export function isTlsFailure(error: unknown): boolean {
  return (
    /^The server does not support SSL|^There was an error establishing an SSL/.test(textOf(error)) ||
    TLS_CODES.test(codeOf(error))
  );
}

/** `28P01`, `ECONNREFUSED`, `ERR_TLS_CERT_ALTNAME_INVALID` */
const CODE = /^(?:[0-9A-Z]{5}|[A-Z]{2,14}(?:_[A-Z0-9]{1,14}){0,6})$/;

/**
 * Returns the SQLSTATE or system code of an error, or `unexpected`. A server may say any text as its code, so longer
 * words do not pass.
 */
export function codeOf(error: unknown): string {
  const code = systemCodeOf(error);
  return code !== undefined && CODE.test(code) ? code : 'unexpected';
}

/**
 * True when the error proves that its message, and so each of its statements, has no effect. A session that broke off
 * or was ended proves nothing: it may have committed before.
 */
export function provesRollback(error: unknown): boolean {
  if (error instanceof Problem) return error.nothingMinted;
  const code = codeOf(error);
  return /^\w{5}$/.test(code) && (NOTHING_DONE.test(code) || ROLLED_BACK.includes(code));
}

/**
 * Converts the error of a provider call to a `Problem`. `provider_rejected` means that nothing was made; for an outage,
 * `nothingMinted` says so. Drops the cause, because errors of the server may quote the statement.
 */
export function problemFrom(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof NotConnected) return unreachedProblem(error.cause);
  const code = codeOf(error);
  if (code === NO_CAPACITY) return noCapacity();
  // the role exists: this call made nothing, but an earlier call with the same handle did
  if (!NAME_TAKEN.includes(code) && NOTHING_DONE.test(code)) {
    return new Problem(
      'provider_rejected',
      DETAILS[code] ?? `the database refused the statement (SQLSTATE ${code}); check the connection`,
    );
  }
  if (codeTold(error) === NO_TIME_LEFT)
    return new Problem('provider_unavailable', `${NO_ANSWER}; try again later (${NO_TIME_LEFT})`);
  return new Problem('provider_unavailable', `the database did not confirm the statement (${code}); try again later`);
}

/**
 * Converts an error from before the first statement. A refused login is a fault of the connection; all else is an
 * outage.
 */
function unreachedProblem(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  if (cause instanceof EgressRefused) return new Problem('provider_rejected', cause.message, { nothingMinted: true });
  const isRefused = NOTHING_DONE.test(codeOf(cause)) || faultSaid(cause) !== undefined;
  return new Problem(isRefused ? 'provider_rejected' : 'provider_unavailable', explain(new NotConnected(cause)), {
    nothingMinted: true,
  });
}

/** Returns `quota_exceeded`: the leases at the server hold all connections that they may open. */
export function noCapacity(): Problem {
  return new Problem('quota_exceeded', 'the leases at this database may already open all of its connections', {
    control: 'connection-capacity',
    help: 'end a task, lower `maxConnections` of the connection, or raise max_connections of the server',
    retryAfterSeconds: 5,
    nothingMinted: true,
  });
}
