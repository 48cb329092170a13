import type { JsonObject } from '@mayfly/kernel';

/** Builds a document as a platform team would send it; `spec` overrides single members. */
export function issuerDocument(name: string, spec: JsonObject = {}): JsonObject {
  const declared = {
    profile: 'oidc',
    issuer: `https://${name}.example`,
    audiences: ['mayfly'],
    algorithms: ['ES256'],
    keys: { discovery: true },
  };
  return { kind: 'Issuer', metadata: { name }, spec: { ...declared, ...spec } };
}

export function connectionDocument(name: string, spec: JsonObject = {}): JsonObject {
  const declared = { provider: 'postgres', owner: 'crm-platform', config: { url: 'env:CRM_DATABASE_URL' } };
  return { kind: 'Connection', metadata: { name }, spec: { ...declared, ...spec } };
}

/** Builds an agent that is bound to its name as subject of the issuer `development`. */
export function agentDocument(name: string, spec: JsonObject = {}): JsonObject {
  const identities = [{ issuer: 'development', subject: name, runtime: 'developer-laptop' }];
  const declared = { owner: 'support-platform', backupOwner: 'crm-platform', identities };
  return { kind: 'Agent', metadata: { name, labels: { duty: 'support' } }, spec: { ...declared, ...spec } };
}

/** Builds a template of one signed token, for agents with the duty `support`. */
export function templateDocument(name: string, spec: JsonObject = {}): JsonObject {
  const declared = {
    description: 'Read cases.',
    owner: 'support-platform',
    backupOwner: 'crm-platform',
    review: { by: 'security', everyDays: 90 },
    requesters: { agents: { duty: 'support' }, runtimes: ['developer-laptop'] },
    parameters: { type: 'object', properties: {}, additionalProperties: false },
    lifetime: { defaultSeconds: 300, maxSeconds: 600 },
    quota: { tasksPerMinute: 1000, concurrentTasks: 1000 },
    credentials: [
      {
        name: 'api',
        provider: 'signed-token',
        scope: { audience: 'https://cases.example', operations: ['cases.read'] },
      },
    ],
  };
  return { kind: 'TaskTemplate', metadata: { name, labels: {} }, spec: { ...declared, ...spec } };
}

/** Returns the documents as one YAML text of JSON documents. */
export function yamlOf(...documents: readonly JsonObject[]): string {
  return documents.map((document) => JSON.stringify(document, undefined, 2)).join('\n---\n');
}
