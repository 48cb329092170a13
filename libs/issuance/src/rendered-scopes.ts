import { faultText, type Targets } from '@mayfly/credentials';
import { type FieldError, type JsonObject, Problem } from '@mayfly/kernel';
import { parameterPointer, type CompiledTemplate, type RenderedCredential } from '@mayfly/templates';

/**
 * Renders the scopes from validated parameters; provider and connection accept each result. Throws `invalid_parameters`
 * with pointers to the parameters at the fault, and `provider_rejected` when no parameter fills the place of the fault:
 * then the template or the connection must change.
 */
export function renderScopes(
  template: CompiledTemplate,
  parameters: JsonObject,
  targets: Pick<Targets, 'scopeFault'>,
): readonly RenderedCredential[] {
  const rendered = template.renderScopes(parameters);
  const errors = rendered.flatMap((credential) => faultsOf(template, credential, targets));
  if (errors.length === 0) return rendered;
  throw new Problem(
    'invalid_parameters',
    'the parameters give a scope that the target does not accept; change those in `errors`',
    { errors },
  );
}

function faultsOf(
  template: CompiledTemplate,
  { name, provider, connection, scope }: RenderedCredential,
  targets: Pick<Targets, 'scopeFault'>,
): FieldError[] {
  const fault = targets.scopeFault(provider, connection, scope);
  if (fault === undefined) return [];
  const detail = `credential \`${name}\`: ${faultText(fault)}`;
  const parameters = template.parametersAt(name, fault.path);
  if (parameters.length === 0)
    throw new Problem('provider_rejected', detail, { help: 'ask the owner of the template to change its scope' });
  return parameters.map((parameter) => ({ pointer: parameterPointer(parameter), detail }));
}
