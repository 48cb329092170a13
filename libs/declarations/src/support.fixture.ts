import { Problem, type FieldError, type ProblemCode } from '@mayfly/kernel';

/** For specs: a small declared state with every kind, as a team would write it. */
export const SUPPORT_YAML = `kind: Issuer
metadata: { name: ci }
spec:
  profile: oidc
  issuer: https://ci.example
  audiences: [mayfly]
  algorithms: [ES256]
  keys: { discovery: true }
---
kind: Issuer
metadata: { name: staff }
spec:
  profile: oidc
  issuer: https://id.example
  audiences: [mayfly]
  algorithms: [RS256]
  keys: { discovery: true }
  roles: { auditor: { claim: groups, values: [audit] } }
---
kind: TaskTemplate
metadata: { name: support-read-cases }
spec:
  description: Read the cases of one region while answering a ticket.
  owner: support-platform
  backupOwner: crm-platform
  review: { by: security, everyDays: 90 }
  requesters: { agents: { duty: support }, runtimes: [laptop] }
  parameters:
    type: object
    properties: { region: { enum: [emea, apac] } }
    required: [region]
    additionalProperties: false
  lifetime: { defaultSeconds: 900, maxSeconds: 1800 }
  quota: { tasksPerMinute: 600, concurrentTasks: 50 }
  credentials:
    - name: db
      provider: database
      connection: crm
      scope: { schema: { $param: region }, verbs: [select] }
---
kind: Agent
metadata: { name: support-agent, labels: { duty: support } }
spec:
  owner: support-platform
  backupOwner: crm-platform
  identities: [{ issuer: ci, subject: support-agent, runtime: laptop }]
---
kind: Connection
metadata: { name: crm }
spec:
  provider: database
  owner: crm-platform
  config: { url: 'env:CRM_DATABASE_URL' }
`;

export interface Refusal {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly FieldError[];
}

/** For specs: returns the problem that `act` throws. Fails when it throws nothing or another error. */
export function refusalOf(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { code: error.code, detail: error.detail, errors: error.extensions.errors ?? [] };
  }
  throw new Error('nothing was refused');
}
