import type { ScopeObjection } from '@mayfly/credentials';
import { partitionOf, roleOf } from './arn.js';
import type { AwsConfig } from './config.schema.js';
import type { AwsScope } from './scope.schema.js';
import { MAX_POLICY_CHARACTERS, policyCharacters, takesRoles } from './session-policy.js';

/**
 * Returns the reasons why a connection cannot serve a scope: roles that are not on its list, rights that its roles'
 * trust policies do not give, and broken limits of STS; and warnings. Only STS knows the packed size; each session
 * reports it.
 */
export function inspectScope(config: AwsConfig, scope: AwsScope): readonly ScopeObjection[] {
  const errors = [roleFault(config, scope), placeFault(config, scope), trustFault(config, scope), sizeFault(scope)];
  const warnings = [chainWarning(scope), sizeWarning(scope)];
  return [
    ...errors.flatMap((detail) => (detail === undefined ? [] : [{ severity: 'error' as const, detail }])),
    ...warnings.flatMap((detail) => (detail === undefined ? [] : [{ severity: 'warning' as const, detail }])),
  ];
}

function roleFault({ roles, revocation }: AwsConfig, { roleArn }: AwsScope): string | undefined {
  if (roles !== undefined && !roles.includes(roleArn)) {
    return `the role \`${roleArn}\` is not among the connection's \`roles\``;
  }
  if (revocation.mode === 'role-policy' && /^(aws-service-role|aws-reserved)\//.test(roleOf(roleArn).path)) {
    return 'a role that AWS owns cannot have a deny policy; name a role of your own, or set `revocation.mode` to `none`';
  }
  return undefined;
}

function placeFault(config: AwsConfig, { roleArn }: AwsScope): string | undefined {
  const { partition, account } = roleOf(roleArn);
  if (config.endpoints.iam !== undefined) return undefined;
  if (account === '') return '`roleArn` has no account; AWS needs the 12 digits';
  if (partition !== partitionOf(config.region)) {
    return `\`roleArn\` is of the partition \`${partition}\` and the connection's region of \`${partitionOf(config.region)}\``;
  }
  return undefined;
}

function trustFault({ auth, trusted }: AwsConfig, scope: AwsScope): string | undefined {
  if (!trusted.tags && (scope.tags !== undefined || scope.transitiveTagKeys !== undefined)) {
    return '`trusted.tags` of the connection is false; leave the tags out';
  }
  if (auth.method === 'web-identity' && scope.externalId !== undefined) {
    return 'with `web-identity` there is no external id; leave `externalId` out';
  }
  return undefined;
}

function sizeFault({ policy, policyArns }: AwsScope): string | undefined {
  const size = policyCharacters(policy, policyArns);
  if (size <= MAX_POLICY_CHARACTERS) return undefined;
  return `${sizeText(size)}; name fewer resources, or use a role with fewer rights`;
}

function sizeWarning({ policy, policyArns }: AwsScope): string | undefined {
  const size = policyCharacters(policy, policyArns);
  if (size > MAX_POLICY_CHARACTERS || size <= MAX_POLICY_CHARACTERS * 0.9) return undefined;
  return `${sizeText(size)}; STS also counts a packed size, which can be full before that`;
}

function chainWarning({ policy }: AwsScope): string | undefined {
  if (!takesRoles(policy)) return undefined;
  return 'it allows `sts:AssumeRole`: sessions that an agent gets with it live up to an hour and outlive the task';
}

function sizeText(size: number): string {
  const number = new Intl.NumberFormat('en');
  return `the session policy is ${number.format(size)} of ${number.format(MAX_POLICY_CHARACTERS)} characters, with what Mayfly adds and the ARNs of managed policies`;
}
