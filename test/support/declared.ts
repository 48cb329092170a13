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
  return { kind: 'Issuer', metadata: { name, labels: {} }, spec: { ...declared, ...spec } };
}

export function connectionDocument(name: string, spec: JsonObject = {}): JsonObject {
  const declared = { provider: 'postgres', owner: 'crm-platform', config: { url: 'env:CRM_DATABASE_URL' } };
  return { kind: 'Connection', metadata: { name, labels: {} }, spec: { ...declared, ...spec } };
}

/** Builds an agent that is bound to its name as subject of the issuer `development`. */
export function agentDocument(name: string, spec: JsonObject = {}): JsonObject {
  const identities = [identityOf(name)];
  const declared = { owner: 'support-platform', backupOwner: 'crm-platform', identities };
  return { kind: 'Agent', metadata: { name, labels: { duty: 'support' } }, spec: { ...declared, ...spec } };
}

export function identityOf(subject: string): JsonObject {
  return { issuer: 'development', subject, runtime: 'developer-laptop' };
}

/** Builds a template of one signed token, for agents with the duty `support`. */
export function templateDocument(name: string, spec: JsonObject = {}): JsonObject {
  const scope = { audience: 'https://cases.example', operations: ['cases.read'] };
  const declared = {
    description: 'Read cases.',
    owner: 'support-platform',
    backupOwner: 'crm-platform',
    review: { by: 'security', everyDays: 90 },
    requesters: { agents: { duty: 'support' }, runtimes: ['developer-laptop'] },
    parameters: { type: 'object', properties: {}, additionalProperties: false },
    lifetime: { defaultSeconds: 300, maxSeconds: 600 },
    quota: { tasksPerMinute: 1000, concurrentTasks: 1000 },
    credentials: [{ name: 'api', provider: 'signed-token', scope }],
  };
  return { kind: 'TaskTemplate', metadata: { name, labels: {} }, spec: { ...declared, ...spec } };
}

/** Builds a document of policies: texts by id. */
export function policyDocument(
  name: string,
  policies: Readonly<Record<string, string>>,
  spec: JsonObject = {},
): JsonObject {
  return {
    kind: 'Policy',
    metadata: { name, labels: {} },
    spec: { owner: 'security', policies: { ...policies }, ...spec },
  };
}

/** Builds a credential of a connection's database, for the tables that the support agent reads. */
export function databaseCredential(connection: string): JsonObject {
  const grants = [{ schema: 'emea', tables: ['cases'], verbs: ['select'] }];
  return { name: 'db', provider: 'postgres', connection, scope: { grants } };
}

/** Returns the documents as one YAML text of JSON documents. */
export function yamlOf(...documents: readonly JsonObject[]): string {
  return documents.map((document) => JSON.stringify(document, undefined, 2)).join('\n---\n');
}
