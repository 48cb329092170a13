import { Decision, type DecisionInput, judgeRequester } from '@mayfly/policy';
import type { CompiledTemplate, TemplateVersion } from '@mayfly/templates';

/** Returns the versions in force that the agent may request in its runtime. */
export function permittedTemplates(
  templates: readonly CompiledTemplate[],
  { agent, runtime }: Pick<DecisionInput, 'agent' | 'runtime'>,
): readonly TemplateVersion[] {
  return templates
    .map(({ version }) => version)
    .filter(({ name, version, spec }) => {
      const template = { name, version, requesters: spec.requesters };
      return Decision.of(judgeRequester({ agent, runtime, template })).permitted;
    });
}
