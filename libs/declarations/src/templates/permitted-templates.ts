import { Decision, type DecisionInput, judgeRequester } from '@mayfly/policy';
import type { TemplateVersion } from '@mayfly/templates';

/** Returns the versions in force that the agent may request in its runtime. */
export function permittedTemplates(
  templates: readonly TemplateVersion[],
  { agent, runtime }: Pick<DecisionInput, 'agent' | 'runtime'>,
): readonly TemplateVersion[] {
  return templates.filter(({ name, version, spec }) => {
    const template = { name, version, requesters: spec.requesters };
    return Decision.of(judgeRequester({ agent, runtime, template })).permitted;
  });
}
