import type { JsonObject } from '@mayfly/kernel';

const AUDIENCE = 'https://papers.example';

const agent = (name: string): JsonObject => ({
  kind: 'Agent',
  metadata: { name, labels: { duty: 'papers' } },
  spec: {
    ...{ owner: 'research', backupOwner: 'platform' },
    identities: [{ issuer: 'development', subject: name, runtime: 'developer-laptop' }],
  },
});

const template = (name: string, operations: readonly string[], more: JsonObject = {}): JsonObject => ({
  kind: 'TaskTemplate',
  metadata: { name },
  spec: {
    ...{ description: 'One step of the demo of a chain.', owner: 'research', backupOwner: 'platform' },
    review: { by: 'security', everyDays: 90 },
    requesters: { agents: { duty: 'papers' }, runtimes: ['developer-laptop'] },
    parameters: { type: 'object', properties: {}, additionalProperties: false },
    lifetime: { defaultSeconds: 300, maxSeconds: 600 },
    quota: { tasksPerMinute: 60, concurrentTasks: 20 },
    credentials: [{ name: 'api', provider: 'signed-token', scope: { audience: AUDIENCE, operations } }],
    ...more,
  },
});

/** The agents of the chain, the first one first. */
export const CHAIN = ['searcher', 'analyst', 'writer'] as const;

/** The documents that the demo of a chain declares: each template hands the next one on, with less. */
export const CHAIN_DOCUMENTS: readonly JsonObject[] = [
  ...CHAIN.map(agent),
  template('chain-write', ['papers.read']),
  template('chain-analyse', ['papers.read', 'notes.read'], {
    delegation: { templates: ['chain-write'], maxDepth: 1, maxChildren: 2 },
  }),
  template('chain-search', ['papers.read', 'notes.read', 'notes.write'], {
    delegation: { templates: ['chain-analyse'], maxDepth: 2, maxChildren: 2 },
  }),
];
