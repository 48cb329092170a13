import { below } from './json-pointer.js';
import type { LintFacts, ProviderFact } from './lint-facts.js';
import { finding, type Finding } from './rule.js';
import type { TaskTemplateSpec, TemplateCredential } from './task-template.schema.js';

/** Rules MF30x and MF311: provider and connection exist and match, and the provider supports the template's lifetimes. */
export function checkCredential(
  credential: TemplateCredential,
  lifetime: TaskTemplateSpec['lifetime'],
  facts: LintFacts,
  pointer: string,
): Finding[] {
  const provider = facts.providers.find(({ kind }) => kind === credential.provider);
  if (provider === undefined) {
    const kinds = facts.providers.map(({ kind }) => kind).join(', ');
    const detail = `there is no provider \`${credential.provider}\`; use one of ${kinds}`;
    return [finding('MF301', below(pointer, 'provider'), detail)];
  }
  const connection = facts.connections.find((declared) => declared.name === credential.connection);
  const effective = { ...provider, ...connection?.traits };
  return [
    ...checkConnection(credential, provider, facts, below(pointer, 'connection')),
    ...checkLifetime(lifetime, effective),
    ...checkProbe(credential, facts, below(pointer, 'probe')),
    ...(effective.revocation === 'expiry-only'
      ? [
          finding(
            'MF308',
            below(pointer, 'provider'),
            'its credentials cannot be revoked and live to their expiry; prefer a short lifetime',
          ),
        ]
      : []),
  ];
}

/** Rule MF312: the uses of each credential of a template that limits uses can be counted. */
export function checkCounting(
  { quota }: Pick<TaskTemplateSpec, 'quota'>,
  { name, provider, connection }: TemplateCredential,
  facts: LintFacts,
  pointer: string,
): Finding[] {
  const isLimited = quota.uses !== undefined || quota.usesPerMinute !== undefined;
  if (!isLimited || facts.isCounted(provider, connection)) return [];
  const detail = `nobody counts the uses of \`${name}\`: no workload may ask about them; declare \`gateways\` on its connection`;
  return [finding('MF312', below(pointer, 'connection'), detail)];
}

function checkProbe({ probe, provider, scope }: TemplateCredential, facts: LintFacts, pointer: string): Finding[] {
  if (probe !== true || facts.canUse(provider, scope)) return [];
  const detail = `Mayfly cannot use such a credential of \`${provider}\` itself, so it cannot show that it is dead; leave \`probe\` out`;
  return [finding('MF311', pointer, detail)];
}

function checkConnection(
  credential: TemplateCredential,
  provider: ProviderFact,
  facts: LintFacts,
  pointer: string,
): Finding[] {
  const name = credential.connection;
  if (name === undefined) {
    if (!provider.needsConnection) return [];
    return [finding('MF302', pointer, `name a connection; \`${provider.kind}\` needs one`)];
  }
  const connection = facts.connections.find((declared) => declared.name === name);
  if (connection === undefined) return [finding('MF302', pointer, `there is no connection \`${name}\``)];
  if (connection.provider === provider.kind) return [];
  const detail = `connection \`${name}\` belongs to provider \`${connection.provider}\`, not to \`${provider.kind}\``;
  return [finding('MF303', pointer, detail)];
}

function checkLifetime(lifetime: TaskTemplateSpec['lifetime'], provider: ProviderFact): Finding[] {
  const found: Finding[] = [];
  if (lifetime.defaultSeconds < provider.minTtlSeconds) {
    const detail = `\`${provider.kind}\` grants no less than ${String(provider.minTtlSeconds)} s`;
    found.push(finding('MF304', '/lifetime/defaultSeconds', detail));
  }
  if (lifetime.maxSeconds > provider.maxTtlSeconds) {
    const detail = `\`${provider.kind}\` grants no more than ${String(provider.maxTtlSeconds)} s; its leases end before the task`;
    found.push(finding('MF305', '/lifetime/maxSeconds', detail));
  }
  return found;
}
