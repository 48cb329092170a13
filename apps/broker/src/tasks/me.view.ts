import type { AgentPrincipal } from '@mayfly/identity';
import type { JsonObject } from '@mayfly/kernel';
import type { TemplateVersion } from '@mayfly/templates';

/** Returns the answer of `GET /me`: the agent, its proven identity, and the template versions that it may use. */
export function meView(
  { agent, runtime, identity }: AgentPrincipal,
  templates: readonly TemplateVersion[],
): JsonObject {
  return {
    agent: { id: agent.id, name: agent.name, state: agent.state, labels: agent.labels },
    runtime,
    identity: { issuer: identity.issuer, subject: identity.subject, expiresAt: identity.expiresAt.toISOString() },
    templates: templates.map(templateMembers),
  };
}

function templateMembers({ name, version, spec }: TemplateVersion): JsonObject {
  const { description, parameters, lifetime, quota } = spec;
  const credentials = spec.credentials.map((credential) => ({ name: credential.name, provider: credential.provider }));
  return { name, version, description, parameters, lifetime, quota, credentials };
}
