import type { LintFacts } from './lint-facts.js';
import type { TaskTemplateSpec } from './task-template.schema.js';

/** For specs: a template that breaks no rule. */
export function supportReadCases(changes: Partial<TaskTemplateSpec> = {}): TaskTemplateSpec {
  return {
    description: 'Read the cases of one region while answering a ticket.',
    owner: 'support-platform',
    backupOwner: 'crm-platform',
    review: { by: 'security', everyDays: 90 },
    requesters: { agents: { duty: 'support' }, runtimes: ['developer-laptop'] },
    parameters: {
      type: 'object',
      properties: { region: { enum: ['emea', 'apac'] } },
      required: ['region'],
      additionalProperties: false,
    },
    lifetime: { defaultSeconds: 900, maxSeconds: 1800 },
    quota: { tasksPerMinute: 600, concurrentTasks: 50 },
    credentials: [
      {
        name: 'db',
        provider: 'postgres',
        connection: 'crm',
        scope: { grants: [{ schema: { $param: 'region' }, tables: ['customers', 'cases'], verbs: ['select'] }] },
      },
    ],
    ...changes,
  };
}

/** For specs: a service with two providers and two connections that accept every scope. */
export function lintFacts(changes: Partial<LintFacts> = {}): LintFacts {
  return {
    providers: [
      { kind: 'postgres', minTtlSeconds: 10, maxTtlSeconds: 43_200, needsConnection: true, revocation: 'immediate' },
      { kind: 'signed-token', minTtlSeconds: 5, maxTtlSeconds: 43_200, needsConnection: false },
    ],
    connections: [
      { name: 'crm', provider: 'postgres' },
      { name: 'tokens', provider: 'signed-token' },
    ],
    validateScope: () => undefined,
    canUse: () => true,
    isCounted: () => true,
    isAuthored: () => false,
    faultsOfConditions: () => [],
    faultsOfText: () => [],
    readScope: () => [],
    inspectScope: () => [],
    ...changes,
  };
}
