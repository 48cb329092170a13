import type { Targets } from '@mayfly/credentials';
import type { Json, LockdownId } from '@mayfly/kernel';
import { deny, type Judgement, permit } from '@mayfly/policy';
import type { CompiledTemplate } from '@mayfly/templates';
import { judged } from '../judged.js';
import { judgeLockdown, lockdownDenial } from '../lockdown-control.js';
import { renderScopes } from '../rendered-scopes.js';
import { judgeByPolicies, policyInputOf, type PolicyJudge } from '../policy-control.js';
import type { HeldScope, Requester } from '../request.js';
import { judgeAttenuation, parentDenial } from './delegation-controls.js';
import type { Ancestor } from './delegation.store.js';

/** The input of the controls on a delegation: plain data, the template in force, and the providers behind `targets`. */
export interface JudgedDelegation {
  readonly at: Date;
  readonly parent: {
    readonly lockdownId?: LockdownId;
    /** false once it ends */
    readonly runs: boolean;
    readonly agent: string;
    readonly template: string;
    readonly expiresAt: Date;
    readonly held: readonly HeldScope[];
  };
  /** the parent and all above it */
  readonly ancestors: readonly Ancestor[];
  readonly asked: {
    /** the agent that takes it up */
    readonly agent: string;
    readonly template: string;
    readonly parameters: Json;
    readonly ttlSeconds?: number | undefined;
  };
  readonly acceptorIsKnown: boolean;
  /** the version in force of the asked template */
  readonly template: CompiledTemplate | undefined;
  readonly targets: Pick<Targets, 'scopeFault' | 'isWithin'>;
  /** the agent that hands on */
  readonly requester: Requester;
  readonly policies: PolicyJudge;
}

type Control = (delegation: JudgedDelegation) => Judgement;

/** The controls in the order in which a caller can mend them. */
const CONTROLS: readonly Control[] = [
  ({ parent }) => (parent.lockdownId === undefined ? judgeLockdown(undefined) : lockdownDenial(parent.lockdownId)),
  ({ parent }) => (parent.runs ? permit('delegation-parent') : parentDenial()),
  judgeTemplate,
  ({ ancestors }) =>
    depthLeft(ancestors) >= 1
      ? permit('delegation-depth')
      : deny('delegation-depth', 'no more levels are allowed below this task (`delegation.maxDepth`)', {
          help: 'do this part of the work in this task',
        }),
  ({ asked, acceptorIsKnown }) =>
    acceptorIsKnown
      ? permit('delegation-acceptor')
      : deny('delegation-acceptor', `there is no agent \`${asked.agent}\``, { help: 'name a registered agent' }),
  judgeCycle,
  judgeLifetime,
];

/** Judges the controls of a delegation up to the first denial, which is then the last judgement. */
export function judgeDelegation(delegation: JudgedDelegation): readonly Judgement[] {
  const judgements: Judgement[] = [];
  for (const control of CONTROLS) {
    const judgement = control(delegation);
    judgements.push(judgement);
    if (judgement.outcome === 'deny') return judgements;
  }
  judgements.push(...judgeExtent(delegation));
  const isDenied = judgements.some(({ outcome }) => outcome === 'deny');
  return isDenied ? judgements : [...judgements, ...judgePolicies(delegation)];
}

/** Asks the policies whether the agent may hand this on; they decide again about the agent that takes it up. */
function judgePolicies({
  requester,
  policies,
  at,
  ancestors,
  asked,
  template,
}: JudgedDelegation): readonly Judgement[] {
  if (template === undefined) return []; // judged before
  const { ttlSeconds } = asked;
  const input = () =>
    policyInputOf('delegate', requester, template.version, at, { ttlSeconds, treeDepth: ancestors.length });
  return judgeByPolicies(policies, input, template.version).judgements;
}

/** Returns the verdicts that follow from what the commit of a delegation found. */
export function judgeDelegated(verdict: 'delegated' | 'parent' | 'children', template: string): readonly Judgement[] {
  if (verdict === 'delegated') return [permit('delegation-children')];
  if (verdict === 'parent') return [parentDenial()];
  return [
    deny('delegation-children', `template \`${template}\` allows no more children at a time (\`maxChildren\`)`, {
      help: 'wait until a child ends',
    }),
  ];
}

function judgeTemplate({ parent, ancestors, asked, template }: JudgedDelegation): Judgement {
  const [own] = ancestors;
  if (own?.rule?.templates.includes(asked.template) === true && template !== undefined)
    return permit('delegation-template');
  return deny('delegation-template', `template \`${parent.template}\` does not hand \`${asked.template}\` on`, {
    help: 'use a template that `delegation.templates` names, and that is published',
  });
}

function judgeCycle({ ancestors, asked: { agent, template } }: JudgedDelegation): Judgement {
  return ancestors.some((one) => one.agent === agent && one.template === template)
    ? deny('delegation-cycle', `agent \`${agent}\` has \`${template}\` in this task or above it`, {
        help: 'hand on to another agent, or as another template',
      })
    : permit('delegation-cycle');
}

function judgeLifetime({ at, parent, asked: { ttlSeconds } }: JudgedDelegation): Judgement {
  const left = Math.floor((parent.expiresAt.getTime() - at.getTime()) / 1000);
  return ttlSeconds !== undefined && ttlSeconds > left
    ? deny('delegation-lifetime', `the parent has ${String(left)} s left, and the child would have more`, {
        help: `ask for at most ${String(left)} s, or renew the parent first`,
      })
    : permit('delegation-lifetime');
}

/** Judges parameters and scopes. */
function judgeExtent({ parent, asked, template, targets }: JudgedDelegation): readonly Judgement[] {
  if (template === undefined) return []; // judged before
  const rendered = judged('parameters', () => renderScopes(template, template.validate(asked.parameters), targets));
  if (!('value' in rendered)) return [rendered.judgement];
  return [rendered.judgement, judgeAttenuation(rendered.value, parent.held, targets)];
}

/** The levels that may follow below the first task: each task above it bounds them too. */
function depthLeft(ancestors: readonly Ancestor[]): number {
  return Math.min(...ancestors.map(({ rule }, above) => (rule?.maxDepth ?? 0) - above));
}
