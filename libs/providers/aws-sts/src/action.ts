const FORM = /^(?:\*|[a-z0-9-]{2,63}:[a-z0-9*?]{1,128})$/i;

/** What a session may be given of STS, each by its full name only. */
const STS_ACTIONS = [
  'sts:AssumeRole',
  'sts:DecodeAuthorizationMessage',
  'sts:GetAccessKeyInfo',
  'sts:GetCallerIdentity',
  'sts:SetSourceIdentity',
  'sts:TagSession',
];

/** What a session may be given of IAM: to look, and to hand a role to a service. Anything else could undo its own end. */
const IAM_ACTIONS = /^iam:(get|list|simulate)[a-z]+$|^iam:passrole$/i;

/** The action by which a session gets another one, which would outlive it. */
export const ASSUME_ROLE = 'sts:AssumeRole';

/**
 * What is wrong with an action, or undefined. Names of services and actions have no case at AWS. An Allow names the service,
 * and never lets a session take other roles by accident or change what denies it.
 */
export function faultOfAction(action: string, effect: 'Allow' | 'Deny'): string | undefined {
  if (!FORM.test(action)) return 'write an action as `service:Name`';
  if (effect === 'Deny') return undefined;
  const [service = '', name] = action.toLowerCase().split(':');
  if (name === undefined) return 'allow actions by their service and name; `*` allows everything';
  if (name === '*') return `name the actions; \`${service}:*\` allows all of them`;
  if (service === 'sts' && !STS_ACTIONS.some((known) => known.toLowerCase() === action.toLowerCase())) {
    return `of STS a template can allow ${STS_ACTIONS.map((known) => `\`${known}\``).join(', ')}, each by its full name`;
  }
  if (service === 'iam' && !IAM_ACTIONS.test(action)) {
    return 'of IAM a template can allow `iam:Get…`, `iam:List…` and `iam:Simulate…` actions and `iam:PassRole`, each by its full name';
  }
  return undefined;
}

/** Whether the action, when allowed, lets a session take another role. */
export function isAssumeRole(action: string): boolean {
  return action.toLowerCase() === ASSUME_ROLE.toLowerCase();
}
