import type { ScopeRemark } from '@mayfly/credentials';
import type { Json, JsonObject } from '@mayfly/kernel';
import { isUnscoped, isUnscopedFamily } from './unscoped-actions.js';

interface Placed {
  readonly path: readonly (string | number)[];
  readonly text: string;
}

const WILDCARD = /[*?]/;
const ARN = String.raw`arn:[\w-]+`;
/** A log group with its streams, in the form of the console and the API; the writer of a stream chooses its name. */
const LOG_GROUP = new RegExp(`^${ARN}:logs:[\\w-]*:\\d*:log-group:[^*?:]+(:log-stream)?:\\*$`);
/** A secret by its name, to which AWS adds a hyphen and six characters. */
const SECRET = new RegExp(`^${ARN}:secretsmanager:[\\w-]*:\\d*:secret:[^*?:]+-\\?{6}$`);
/**
 * Everything below one named resource where AWS writes colons: versions of a function, executions of a state machine.
 */
const BELOW_COLON = new RegExp(`^${ARN}:[\\w-]+:[\\w-]*:\\d*:[^*?:/]+[:/][^*?]+:\\*$`);

/**
 * Judges each wildcard in the Allow statements of a rendered policy (too wide, the narrowest possible, below one resource),
 * and finds `iam:PassRole` without a named service. Reads what it can of a scope that does not parse. Leaves Deny statements
 * to the linter's own rules.
 */
export function readAwsScope(scope: Json): readonly ScopeRemark[] {
  const policy = memberOf(scope, 'policy');
  const path = ['policy', 'Statement'];
  return eachOf(memberOf(policy, 'Statement'), path)
    .filter(({ value }) => memberOf(value, 'Effect') === 'Allow')
    .flatMap(({ value, path: place }) => readStatement(value as JsonObject, place));
}

function readStatement(statement: JsonObject, path: readonly (string | number)[]): ScopeRemark[] {
  const actions = textsOf(statement.Action, [...path, 'Action']);
  const resources = textsOf(statement.Resource, [...path, 'Resource']);
  return [
    ...actions.flatMap(readAction),
    ...resources.flatMap((resource) => readResource(resource, actions)),
    ...(isPassedAnywhere(statement.Condition) ? actions.filter(isPassRole).map(unbound) : []),
  ];
}

function readAction({ path, text }: Placed): ScopeRemark[] {
  if (!WILDCARD.test(text)) return [];
  if (isUnscopedFamily(text)) return [{ path, kind: 'narrowest' }];
  const detail = `name the actions; a final \`*\` is allowed if every action that it matches only reads or lists, as in \`ec2:Describe*\``;
  return [{ path, kind: 'too-wide', detail }];
}

function readResource({ path, text }: Placed, actions: readonly Placed[]): ScopeRemark[] {
  if (text === '*') return [readEverything(path, actions)];
  if (LOG_GROUP.test(text) || SECRET.test(text)) return [{ path, kind: 'narrowest' }];
  return BELOW_COLON.test(text) ? [{ path, kind: 'below' }] : [];
}

function readEverything(path: Placed['path'], actions: readonly Placed[]): ScopeRemark {
  const scoped = actions.find(({ text }) => !isUnscoped(text));
  if (scoped === undefined) return { path, kind: 'narrowest' };
  const detail =
    `\`*\` is for actions without a resource in AWS, and \`${scoped.text.slice(0, 64)}\` is not listed as one (docs/connect-aws.md); name its ` +
    'resource as an ARN, at the widest a kind of resource such as `…/*` narrowed by a condition such as `aws:ResourceTag/team`';
  return { path, kind: 'too-wide', detail };
}

function isPassRole({ text }: Placed): boolean {
  return text.toLowerCase() === 'iam:passrole';
}

function unbound({ path }: Placed): ScopeRemark {
  const detail =
    '`iam:PassRole` hands the role to any service that the role trusts; name the service with the condition `StringEquals: {iam:PassedToService: …}`';
  return { path, kind: 'unbound', detail };
}

/**
 * Returns true when no condition names the service that a role may be passed to, with an operator that needs the key.
 */
function isPassedAnywhere(condition: Json | undefined): boolean {
  return !Object.entries(condition ?? {}).some(
    ([operator, keys]) =>
      /^(ForAnyValue:)?String(Equals(IgnoreCase)?|Like)$/.test(operator) &&
      Object.keys((keys ?? {}) as object).some((key) => key.toLowerCase() === 'iam:passedtoservice'),
  );
}

function textsOf(value: Json | undefined, path: Placed['path']): Placed[] {
  return eachOf(value, path).flatMap((one) =>
    typeof one.value === 'string' ? [{ path: one.path, text: one.value }] : [],
  );
}

/** Returns the members of a list with their paths, or a single value with its path. */
function eachOf(value: Json | undefined, path: Placed['path']): { value: Json; path: Placed['path'] }[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return [{ value, path }];
  return (value as readonly Json[]).map((item, index) => ({ value: item, path: [...path, index] }));
}

function memberOf(value: Json | undefined, key: string): Json | undefined {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMap ? (value as JsonObject)[key] : undefined;
}
