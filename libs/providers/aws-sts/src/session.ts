import { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, type AssumeRoleCommandInput } from '@aws-sdk/client-sts';
import type { IdentityTokens, Minted, MintOrder } from '@mayfly/credentials';
import { earliest, Problem, type JsonObject } from '@mayfly/kernel';
import { roleOf } from './arn.js';
import type { AwsAccess } from './aws-access.js';
import { FLOOR_SECONDS, type AwsConfig } from './config.schema.js';
import type { AwsHandle } from './handle.schema.js';
import type { AwsScope } from './scope.schema.js';
import { compileSessionPolicy, policyCharacters, policyInstant } from './session-policy.js';

export type AwsOrder = MintOrder<AwsConfig, AwsScope>;

/** The members of STS's answer that Mayfly uses. */
export interface StsAnswer {
  readonly AssumedRoleUser?: { readonly Arn?: string | undefined } | undefined;
  readonly Credentials?: { readonly [Member in keyof Credentials]?: Credentials[Member] | undefined } | undefined;
  /** per cent of AWS's limit on packed policies and tags; newer answers have `SessionTokenUtilization` instead */
  readonly PackedPolicySize?: number | undefined;
  readonly SessionTokenUtilization?: number | undefined;
}

interface Credentials {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken: string;
  readonly Expiration: Date;
}

/** Warn above this percentage of STS's limit on packed policies and tags, before STS refuses. */
const PACKED_WARNING = 80;
/** Warn when the clocks differ by more than this, because sessions then end noticeably late or early. */
const CLOCK_WARNING_SECONDS = 5;
const TOKEN_SECONDS = 300;

/**
 * Returns the input that all ways to take a role share. STS gives no session under 900 s; the policy ends the session
 * at the granted deadline.
 */
function commonInput({ scope, expiresAt }: AwsOrder, handle: AwsHandle, now: Date) {
  const seconds = Math.ceil((expiresAt.getTime() - now.getTime()) / 1000);
  return {
    RoleArn: handle.roleArn,
    RoleSessionName: handle.sessionName,
    DurationSeconds: Math.max(FLOOR_SECONDS, seconds),
    Policy: compileSessionPolicy(scope.policy, expiresAt),
    ...(scope.policyArns === undefined ? {} : { PolicyArns: scope.policyArns.map((arn) => ({ arn })) }),
  };
}

/** Returns the tags of a session: Mayfly's own and those of the template. */
function tagsOf({ agent, taskId, template, scope }: AwsOrder): Readonly<Record<string, string>> {
  return { ...scope.tags, 'mayfly:template': template.name, 'mayfly:agent': agent.name, 'mayfly:task': taskId };
}

function assumeRoleInput(order: AwsOrder, handle: AwsHandle, now: Date): AssumeRoleCommandInput {
  const { config, scope, taskId } = order;
  const { transitiveTagKeys, externalId } = scope;
  const tags = Object.entries(tagsOf(order)).map(([Key, Value]) => ({ Key, Value }));
  return {
    ...commonInput(order, handle, now),
    ...(config.trusted.sourceIdentity ? { SourceIdentity: taskId } : {}),
    ...(config.trusted.tags ? { Tags: tags } : {}),
    ...(transitiveTagKeys === undefined ? {} : { TransitiveTagKeys: transitiveTagKeys }),
    ...(externalId === undefined ? {} : { ExternalId: externalId }),
  };
}

/**
 * Returns the claims of a task's identity token. AWS takes tags and source identity from claims of these names (IAM
 * User Guide).
 */
function claimsOf(order: AwsOrder): JsonObject {
  const { config, scope, agent, taskId, template } = order;
  const tags = Object.entries(tagsOf(order)).map(([key, value]) => [key, [value]] as const);
  return {
    task: taskId,
    agent: agent.name,
    template: template.name,
    ...(config.trusted.sourceIdentity ? { 'https://aws.amazon.com/source_identity': taskId } : {}),
    ...(config.trusted.tags
      ? {
          'https://aws.amazon.com/tags': {
            principal_tags: Object.fromEntries(tags),
            transitive_tag_keys: scope.transitiveTagKeys ?? [],
          },
        }
      : {}),
  };
}

/** Takes the role once. Rejects with the SDK's error. */
export async function takeRole(
  access: AwsAccess,
  identityTokens: IdentityTokens,
  order: AwsOrder,
  handle: AwsHandle,
  { now, ...options }: { readonly now: Date; readonly abortSignal: AbortSignal },
): Promise<StsAnswer> {
  const { auth } = order.config;
  if (auth.method !== 'web-identity') {
    return access.sts.send(new AssumeRoleCommand(assumeRoleInput(order, handle, now)), options);
  }
  const token = await identityTokens.issue({
    audience: auth.audience,
    subject: `agent:${order.agent.name}`,
    lifetimeSeconds: TOKEN_SECONDS,
    claims: claimsOf(order),
  });
  const input = { ...commonInput(order, handle, now), WebIdentityToken: token };
  return access.unsigned.send(new AssumeRoleWithWebIdentityCommand(input), options);
}

/**
 * Returns the session of STS's answer. Throws `provider_unavailable` when it is not the session that was ordered, or is
 * incomplete.
 */
export function mintedFrom(
  answer: StsAnswer,
  order: AwsOrder,
  handle: AwsHandle,
  clockOffsetSeconds: number | undefined,
): Minted<AwsHandle> {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = credentialsOf(answer, handle);
  const { scope, config, expiresAt } = order;
  const { PackedPolicySize: packed, SessionTokenUtilization: token } = answer;
  const warnings = [
    fullnessWarning('policy and tags', packed),
    fullnessWarning('the session', token),
    clockWarning(clockOffsetSeconds),
  ].filter((text) => text !== undefined);
  return {
    handle,
    secret: {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiration: earliest(policyInstant(expiresAt), Expiration).toISOString(),
      region: config.region,
    },
    providerExpiresAt: earliest(policyInstant(expiresAt), Expiration),
    facts: {
      policyCharacters: policyCharacters(scope.policy, scope.policyArns),
      ...(packed === undefined ? {} : { packedPolicySize: packed }),
      ...(token === undefined ? {} : { sessionTokenUtilization: token }),
      ...(warnings.length === 0 ? {} : { warnings }),
    },
  };
}

function credentialsOf({ AssumedRoleUser, Credentials }: StsAnswer, handle: AwsHandle): Credentials {
  const session = `:assumed-role/${roleOf(handle.roleArn).name}/${handle.sessionName}`;
  if (AssumedRoleUser?.Arn?.endsWith(session) !== true)
    throw unusable('AWS answered with a session other than the requested one; check `endpoints`');
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !isInstant(Expiration)) {
    throw unusable('AWS answered with an incomplete session; check `endpoints`');
  }
  return { AccessKeyId, SecretAccessKey, SessionToken, Expiration };
}

function isInstant(at: Date | undefined): at is Date {
  return at !== undefined && !Number.isNaN(at.getTime());
}

function unusable(detail: string): Problem {
  return new Problem('provider_unavailable', detail, { reason: 'unknown-outcome' });
}

function fullnessWarning(what: string, percent: number | undefined): string | undefined {
  if (percent === undefined || percent <= PACKED_WARNING) return undefined;
  return `${what} took ${String(percent)} % of the packed size that AWS allows; AWS refuses more than 100 %`;
}

function clockWarning(offset: number | undefined): string | undefined {
  if (offset === undefined || Math.abs(offset) <= CLOCK_WARNING_SECONDS) return undefined;
  const [side, end] = offset > 0 ? ['ahead of', 'earlier'] : ['behind', 'later'];
  return `AWS's clock is ${String(Math.abs(offset))} s ${side} Mayfly's; sessions end so much ${end}`;
}
