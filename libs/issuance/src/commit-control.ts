import { deny, type Judgement, type Obligations } from '@mayfly/policy';
import type { TemplateVersion } from '@mayfly/templates';
import type { CommitFound } from './decisions/decision-inputs.js';
import { parentDenial, pendingDenial } from './delegations/delegation-controls.js';
import { lockdownDenial } from './lockdown-control.js';
import { judgeRefusedQuota, narrowedQuota, QUOTA_TAKEN } from './quota-control.js';

/** Returns the verdicts that follow from what the commit of step 9, or of step 11, found under its locks. */
export function judgeCommit(
  found: NonNullable<CommitFound>,
  agent: string,
  { name, spec }: Pick<TemplateVersion, 'name' | 'spec'>,
  obligations: Obligations,
): readonly Judgement[] {
  switch (found.verdict) {
    case 'opened':
      return QUOTA_TAKEN;
    case 'quota':
      return judgeRefusedQuota(name, narrowedQuota(spec.quota, obligations), found.left);
    case 'lockdown':
      return [lockdownDenial(undefined)];
    case 'undelivered':
      return [lockdownDenial(found.lockdown)];
    case 'agent':
      return [
        deny('agent-lifecycle', `agent \`${agent}\` is not active`, { help: 'ask an operator to activate the agent' }),
      ];
    case 'template':
      return [
        deny('template-lifecycle', `template \`${name}\` changed during this request`, {
          help: 'send the request again to use the version now in force',
        }),
      ];
    case 'connection':
      return [
        deny('connection-state', 'a connection of the template was disabled during this request', {
          help: 'ask its owner to enable it',
        }),
      ];
    case 'delegation':
      return [pendingDenial()];
    case 'parent':
      return [parentDenial()];
  }
}
