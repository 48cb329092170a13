import { Problem } from '@mayfly/kernel';
import { z } from 'zod';

/** The meaning of AWS's answer in Mayfly's words (`ProblemExtensions.reason`, docs/problems.md). */
export type AwsReason =
  | 'throttled'
  | 'expired-credentials'
  | 'broker-credentials'
  | 'no-credentials'
  | 'malformed-policy'
  | 'packed-size'
  | 'access-denied'
  | 'not-found'
  | 'other-account'
  | 'limit-exceeded'
  | 'region-disabled'
  | 'clock-skew'
  | 'invalid-identity-token'
  | 'invalid-request'
  | 'session-length'
  | 'refused'
  | 'unreachable'
  | 'address-refused'
  | 'unknown-outcome';

/** A classified answer of AWS. It keeps only texts of a shape that secrets do not have. */
export interface AwsFailure {
  readonly reason: AwsReason;
  /** the code of AWS or of the system; a few letters and digits */
  readonly code: string;
  /** true when the answer proves that the call had no effect */
  readonly certain: boolean;
  /** the missing right, such as `sts:TagSession`, when AWS names it */
  readonly action?: string;
  /** the accounts of the login and of the role, when they differ */
  readonly accounts?: { readonly login: string; readonly role: string };
  /** Mayfly's own text, when Mayfly failed before it called AWS; it replaces the text of the reason */
  readonly ownDetail?: string;
}

/**
 * Reasons by the codes of STS, IAM and the common errors of AWS's query APIs, without the endings that differ between
 * them.
 */
const REASONS: ReadonlyMap<string, AwsReason> = new Map(
  Object.entries<AwsReason>({
    Throttling: 'throttled',
    ThrottledException: 'throttled',
    RequestThrottled: 'throttled',
    RequestLimitExceeded: 'throttled',
    TooManyRequests: 'throttled',
    SlowDown: 'throttled',
    IDPCommunicationError: 'throttled',
    ConcurrentModification: 'throttled',
    EntityTemporarilyUnmodifiable: 'throttled',
    ExpiredToken: 'expired-credentials',
    InvalidClientTokenId: 'broker-credentials',
    UnrecognizedClient: 'broker-credentials',
    SignatureDoesNotMatch: 'broker-credentials',
    IncompleteSignature: 'broker-credentials',
    MissingAuthenticationToken: 'broker-credentials',
    InvalidAccessKeyId: 'broker-credentials',
    NotAuthorized: 'access-denied',
    AccessDenied: 'access-denied',
    UnauthorizedOperation: 'access-denied',
    OptInRequired: 'region-disabled',
    RegionDisabled: 'region-disabled',
    MalformedPolicyDocument: 'malformed-policy',
    PackedPolicyTooLarge: 'packed-size',
    NoSuchEntity: 'not-found',
    LimitExceeded: 'limit-exceeded',
    RequestTimeTooSkewed: 'clock-skew',
    RequestExpired: 'clock-skew',
    InvalidIdentityToken: 'invalid-identity-token',
    IDPRejectedClaim: 'invalid-identity-token',
    ValidationError: 'invalid-request',
    Validation: 'invalid-request',
    InvalidInput: 'invalid-request',
    InvalidParameterValue: 'invalid-request',
    InvalidParameterCombination: 'invalid-request',
    UnmodifiableEntity: 'refused',
    CredentialsProviderError: 'no-credentials',
    TokenProviderError: 'no-credentials',
  }),
);

/** Codes that mean that no connection was made, so that nothing was sent. */
const NOT_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|ERR_TLS_CERT_ALTNAME_INVALID)$/;

/**
 * Reasons by status, for engines whose errors have another form than AWS's. Each status means that the request was not
 * carried out.
 */
const REFUSING_STATUS: Readonly<Record<number, AwsReason>> = {
  400: 'invalid-request',
  401: 'access-denied',
  403: 'access-denied',
  404: 'not-found',
  405: 'refused',
  409: 'refused',
};

/** Classifies an error of an SDK call: by AWS's code, else by the system's code, else by the status. */
export function classify(error: unknown): AwsFailure {
  const { name, code, message, status } = readError(error);
  const known = REASONS.get(name.replace(/(Exception|Error)$/, '')) ?? REASONS.get(name);
  if (known !== undefined) return { ...refined(known, message), code: name, certain: true };
  if (code === 'EGRESS_REFUSED') return { reason: 'address-refused', code, certain: true };
  if (code !== undefined && NOT_SENT.test(code)) return { reason: 'unreachable', code, certain: true };
  const refused = status === undefined ? undefined : REFUSING_STATUS[status];
  if (refused !== undefined) return { reason: refused, code: name, certain: true };
  return { reason: 'unknown-outcome', code: code ?? name, certain: false };
}

/**
 * A code of AWS (`AccessDeniedException`) or of the system (`ECONNREFUSED`, `ERR_TLS_CERT_ALTNAME_INVALID`): a few
 * words. A server may say any text as its code, so longer words and digits among letters do not pass.
 */
const WordSchema = z
  .string()
  .max(48)
  .regex(/^(?:(?:[A-Z]{0,3}[A-Z][a-z]{1,15}){1,8}|[A-Z0-9]{2,14}(?:_[A-Z0-9]{1,14}){0,6})$/);
const ErrorSchema = z.object({
  name: WordSchema.catch('Unknown'),
  code: WordSchema.optional().catch(undefined),
  message: z.string().catch(''),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional().catch(undefined),
});

function readError(error: unknown): {
  name: string;
  code: string | undefined;
  message: string;
  status: number | undefined;
} {
  const parsed = ErrorSchema.safeParse(error);
  if (!parsed.success) return { name: 'Unknown', code: undefined, message: '', status: undefined };
  const { $metadata, code, ...rest } = parsed.data;
  return { ...rest, code, status: $metadata?.httpStatusCode };
}

/** The actions that Mayfly needs; any other word of a message may be a secret. */
const ACTION =
  /perform:? (sts:(?:AssumeRole(?:WithWebIdentity)?|TagSession|SetSourceIdentity|GetCallerIdentity)|iam:(?:GetRole|(?:Get|Put|Delete)RolePolicy))\b/;

/** Returns a more exact reason, and the missing right, from the text of AWS's error. */
function refined(reason: AwsReason, message: string): Pick<AwsFailure, 'reason' | 'action'> {
  if (reason === 'broker-credentials' && /signature (expired|not yet current)/i.test(message))
    return { reason: 'clock-skew' };
  if (reason === 'broker-credentials' && /session has expired|token.*expired/i.test(message)) {
    return { reason: 'expired-credentials' };
  }
  if (reason === 'invalid-request' && /DurationSeconds exceeds/i.test(message)) return { reason: 'session-length' };
  const action = ACTION.exec(message)?.[1];
  return { reason, ...(action === undefined ? {} : { action }) };
}

const DETAILS: Readonly<Record<AwsReason, string>> = {
  throttled: 'AWS has too many calls at the moment; try again in some seconds',
  'expired-credentials': "the connection's login at AWS has expired; renew the credentials that `auth` names",
  'broker-credentials': 'AWS refuses the login of the connection; change its `auth`',
  'no-credentials': '`auth` of the connection gives no login for AWS; change it',
  'malformed-policy': 'AWS refuses the session policy; change `policy` in the template',
  'packed-size':
    'the session policy, its managed policies and tags exceed the packed size that AWS allows; name fewer resources',
  'access-denied':
    "AWS denies the request and does not name the missing right; compare the role's trust policy and Mayfly's policy with docs/connect-aws.md",
  'not-found':
    'AWS does not have the role `roleArn`, or a policy in `policyArns`, of the scope; create it or correct the template',
  'other-account': "revocation by role policy needs a login in the role's account; change `auth`",
  'limit-exceeded': 'a limit of the AWS account is reached; raise it there',
  'region-disabled': 'the region of the connection is not enabled in the account; enable it or change `region`',
  'clock-skew': 'the clocks of AWS and of this machine differ too much; correct the clock of this machine',
  'invalid-identity-token':
    "AWS refuses Mayfly's identity token; check the OpenID Provider in IAM (docs/connect-aws.md)",
  'invalid-request': 'AWS refuses the request as invalid; check the scope and the connection',
  'session-length':
    'the role allows no session of this length; lower `maxSessionSeconds` of the connection (to 3,600 s or less when its login is itself a session)',
  refused: 'AWS refused the request; check the connection',
  unreachable: 'AWS cannot be reached; try again later',
  'address-refused':
    'the name in `endpoints` resolves to a metadata service or a link-local address, which no setting allows; use another',
  'unknown-outcome': 'AWS did not confirm the request; try again later',
};

/**
 * Converts a failure to a problem. `provider_rejected` means that the answer proves that nothing was made. Drops the
 * cause, because errors of the SDK hold the request with its signatures and tokens.
 */
export function problemFor(failure: AwsFailure, hint?: string): Problem {
  const { reason, code, certain } = failure;
  const problemCode =
    certain && reason !== 'unreachable' && reason !== 'no-credentials' ? 'provider_rejected' : 'provider_unavailable';
  const retry = reason === 'throttled' ? { retryAfterSeconds: 5 } : {};
  return new Problem(problemCode, `${hint ?? detailFor(failure)} (${code})`, { reason, ...retry });
}

/** Returns the failure as a text, with the missing right when AWS names it, or the two accounts when they differ. */
export function detailFor({ reason, action, accounts, ownDetail }: AwsFailure): string {
  if (ownDetail !== undefined) return ownDetail;
  if (reason === 'other-account' && accounts !== undefined) {
    const where = `the connection's login is in account ${accounts.login}, the role in ${accounts.role}`;
    return `${where}; ${DETAILS['other-account']}`;
  }
  if (reason !== 'access-denied' || action === undefined) return DETAILS[reason];
  return `AWS refuses \`${action}\`; ${REMEDIES.get(action) ?? "allow it in Mayfly's policy (docs/connect-aws.md)"}`;
}

/** The remedies for rights that the role's trust policy must give too. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  [
    'sts:AssumeRole',
    "name Mayfly in the role's trust policy, allow `sts:AssumeRole` in Mayfly's policy, and check `externalId`",
  ],
  ['sts:AssumeRoleWithWebIdentity', "allow it in the role's trust policy, for Mayfly's issuer, audience and subject"],
  [
    'sts:TagSession',
    "allow it in the role's trust policy and in Mayfly's policy, or set `trusted.tags` of the connection to `false`",
  ],
  [
    'sts:SetSourceIdentity',
    "allow it in the role's trust policy and in Mayfly's policy, or set `trusted.sourceIdentity` of the connection to `false`",
  ],
]);
