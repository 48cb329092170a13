const FORM = /^(?:\*|[a-z0-9-]{2,63}:[a-z0-9*?]{1,128})$/i;

/** The STS actions that a template may allow, each by its full name only. */
const STS_ACTIONS = [
  'sts:AssumeRole',
  'sts:DecodeAuthorizationMessage',
  'sts:GetAccessKeyInfo',
  'sts:GetCallerIdentity',
  'sts:SetSourceIdentity',
  'sts:TagSession',
];

/**
 * The IAM actions that a template may allow: reading, and passing a role to a service. Any other action could undo the
 * session's denial.
 */
const IAM_ACTIONS = /^iam:(get|list|simulate)[a-z]+$|^iam:passrole$/i;

/** The action with which a session gets another session, which would outlive it. */
export const ASSUME_ROLE = 'sts:AssumeRole';

/**
 * Returns the fault of an action, or undefined. AWS ignores the case of services and actions. An Allow must name the
 * service, and must not let a session take other roles by accident or change its own denial.
 */
export function faultOfAction(action: string, effect: 'Allow' | 'Deny'): string | undefined {
  if (!FORM.test(action)) return 'write an action as `service:Name`';
  if (effect === 'Deny') return undefined;
  const [service = '', name] = action.toLowerCase().split(':');
  if (name === undefined) return 'allow actions by their service and name; `*` allows everything';
  if (name === '*') return `name the actions; \`${service}:*\` allows all of them`;
  if (service === 'sts' && !STS_ACTIONS.some((known) => known.toLowerCase() === action.toLowerCase())) {
    return `a template can allow these actions of STS: ${STS_ACTIONS.map((known) => `\`${known}\``).join(', ')}, each by its full name`;
  }
  if (service === 'iam' && !IAM_ACTIONS.test(action)) {
    return 'a template can allow these actions of IAM: `iam:Get…`, `iam:List…` and `iam:Simulate…` actions and `iam:PassRole`, each by its full name';
  }
  return undefined;
}

/** Returns true when the action, if allowed, lets a session take another role. */
export function isAssumeRole(action: string): boolean {
  return action.toLowerCase() === ASSUME_ROLE.toLowerCase();
}
