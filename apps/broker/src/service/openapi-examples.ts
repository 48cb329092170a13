import type { JsonObject } from '@mayfly/kernel';

const AGENT: JsonObject = {
  kind: 'Agent',
  metadata: { name: 'billing-agent', labels: { duty: 'support' } },
  spec: {
    owner: 'support-platform',
    backupOwner: 'crm-platform',
    identities: [{ issuer: 'development', subject: 'billing-agent', runtime: 'developer-laptop' }],
  },
};

const CONNECTION: JsonObject = {
  kind: 'Connection',
  metadata: { name: 'billing-api' },
  spec: {
    provider: 'signed-token',
    owner: 'support-platform',
    config: {
      audience: 'https://billing.example',
      resourceServers: [{ issuer: 'development', subject: 'resource-server/billing' }],
    },
  },
};

const ISSUER: JsonObject = {
  kind: 'Issuer',
  metadata: { name: 'deploy' },
  spec: {
    profile: 'oidc',
    issuer: 'https://deploy.example',
    audiences: ['mayfly'],
    algorithms: ['ES256'],
    keys: { discovery: true },
    owner: 'support-platform',
  },
};

const POLICY: JsonObject = {
  kind: 'Policy',
  metadata: { name: 'guardrails' },
  spec: {
    owner: 'security',
    policies: {
      freeze:
        '@reason("no writes in a freeze") forbid(principal, action, resource) when { context.environment.freeze && context.toolRisk == "write" };',
    },
  },
};

const TEMPLATE: JsonObject = {
  kind: 'TaskTemplate',
  metadata: { name: 'billing-read-invoices' },
  spec: {
    description: 'Read the invoices of one region while answering a ticket.',
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
    lifetime: { defaultSeconds: 300, maxSeconds: 900 },
    quota: { tasksPerMinute: 60, concurrentTasks: 10 },
    credentials: [
      {
        name: 'api',
        provider: 'signed-token',
        connection: 'billing-api',
        scope: {
          audience: 'https://billing.example',
          operations: [{ $join: ['invoices.read:', { $param: 'region' }] }],
        },
      },
    ],
  },
};

/** Example bodies by operation id. A test sends them all, in this order, and each must succeed. */
export const BODY_EXAMPLES: Readonly<Record<string, JsonObject>> = {
  'Tasks.create': {
    template: 'support-read-cases',
    parameters: { region: 'emea' },
    purpose: 'answer ticket 4711',
    ttlSeconds: 900,
  },
  'Delegations.delegate': {
    agent: 'support-agent',
    template: 'support-read-cases',
    parameters: { region: 'emea' },
    purpose: 'answer ticket 4711',
    ttlSeconds: 300,
  },
  'Authzen.evaluate': {
    subject: { type: 'agent', id: 'support-agent' },
    action: { name: 'request' },
    resource: { type: 'template', id: 'support-read-cases' },
    context: { parameters: { region: 'emea' } },
  },
  'Authzen.evaluateAll': {
    subject: { type: 'agent', id: 'support-agent' },
    action: { name: 'request' },
    evaluations: [
      { resource: { type: 'template', id: 'support-read-cases' }, context: { parameters: { region: 'emea' } } },
      { resource: { type: 'template', id: 'research-read-web' } },
    ],
  },
  'Decisions.whatIf': { set: { pointer: '/agent/state', value: 'suspended' } },
  'Tasks.renew': { ttlSeconds: 900 },
  'Tasks.fail': { reason: 'the ticket was withdrawn' },
  'Leases.abandon': { reason: 'the server of the connection is gone' },
  'Lockdowns.engage': {
    scope: { kind: 'agent', name: 'billing-agent' },
    reason: 'a token of the agent was seen in a public log',
  },
  'Quarantine.confirm': { reason: 'the backup of 03:00 was restored, and its differences are known' },
  'Reconciliations.request': { connection: 'crm' },
  'Changes.approve': { reason: 'checked with the team of the warehouse' },
  'Changes.refuse': { reason: 'the subject is of another workload' },
  'Lockdowns.release': { reason: 'the agent has new keys' },
  'Issuers.create': ISSUER,
  'Issuers.replace': ISSUER,
  'Issuers.test': { token: 'eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJkZXBsb3kifQ.c2lnbmF0dXJl' },
  'Connections.create': CONNECTION,
  'Connections.replace': CONNECTION,
  'Policies.create': POLICY,
  'Policies.replace': POLICY,
  'Agents.create': AGENT,
  'Agents.replace': AGENT,
  'Declarations.check': { documents: [TEMPLATE], publish: false },
  'Templates.lint': TEMPLATE,
  'Templates.create': TEMPLATE,
  'Templates.replaceDraft': TEMPLATE,
  'Operations.authorize': {
    token: 'mft_01kansx8g0fmbv0xs40yaz3ag5_0000000000000000000000000000000000000000000',
    operation: 'select',
    target: 'crm/emea.cases',
  },
  'OAuth.introspect': { token: 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJqdGkiOiJsc2VfIn0.c2lnbmF0dXJl' },
  'OAuth.revoke': { token: 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJqdGkiOiJsc2VfIn0.c2lnbmF0dXJl' },
};

/** Example values of `{name}` and of the `{id}` of a task, a decision, a lease, a lockdown or a reconciliation, by the first segment of the path. */
export const PATH_EXAMPLES: Readonly<Record<string, string>> = {
  issuers: 'deploy',
  connections: 'billing-api',
  policies: 'guardrails',
  agents: 'billing-agent',
  templates: 'billing-read-invoices',
  tasks: 'tsk_01kansx8g0fmbv0xs40yaz3ag5',
  decisions: 'dec_01kansx8g0fmbv0xs40yaz3ag5',
  leases: 'lse_01kansx8g0fmbv0xs40yaz3ag6',
  reconciliations: 'rcn_01kansx8g0fmbv0xs40yaz3ag7',
  changes: 'chg_01kansx8g0fmbv0xs40yaz3ag7',
  lockdowns: 'lkd_01kansx8g0fmbv0xs40yaz3ag7',
};
