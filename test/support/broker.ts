import 'reflect-metadata';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@mayfly/kernel';
import { FakeIssuer, startTestPostgres, type TestDatabase } from '@mayfly/testing';
import { startBroker, type Broker } from '../../apps/broker/src/boot/service.js';
import { readConfig } from '../../apps/broker/src/config.js';

/** A declared document, as files hold it. */
export type Document = JsonObject;

export interface TestBrokerOptions {
  /** besides the two issuers */
  readonly documents?: readonly Document[];
  /** variables of the service's environment, over the defaults of a test */
  readonly environment?: Readonly<Record<string, string>>;
  /** a second replica on the same database; without it the broker has a fresh one of its own */
  readonly database?: TestDatabase;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** the body as JSON; an empty object when it is none */
  readonly body: Readonly<Record<string, never>>;
}

export interface Call {
  readonly token?: string | undefined;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The service in this process, on a real PostgreSQL, reached over HTTP. */
export interface TestBroker {
  readonly url: string;
  readonly broker: Broker;
  readonly database: TestDatabase;
  /** speaks for workloads: `subject` is what an agent's binding names */
  readonly ci: FakeIssuer;
  /** speaks for people: the claim `groups` holds their roles */
  readonly staff: FakeIssuer;
  workloadToken(subject: string): string;
  personToken(...roles: readonly string[]): string;
  call(method: string, path: string, options?: Call): Promise<Answer>;
  stop(): Promise<void>;
}

const clock = { now: () => new Date() };
const ROLES = ['platform', 'approver', 'operator', 'auditor'];
export const PUBLIC_URL = 'https://mayfly.example';

/** Starts a broker that trusts the issuers `ci` (workloads) and `staff` (people), with more documents if given. */
export async function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const database = options.database ?? (await (await startTestPostgres()).createDatabase());
  const ci = new FakeIssuer({ clock });
  const staff = new FakeIssuer({ clock, issuer: 'https://id.example' });
  const directory = await mkdtemp(join(tmpdir(), 'mayfly-e2e-'));
  const documents = [...issuerDocuments(ci, staff), ...(options.documents ?? [])];
  await writeFile(join(directory, 'declared.yaml'), documents.map((one) => JSON.stringify(one)).join('\n---\n'));
  const environment = {
    DATABASE_URL: database.url,
    MAYFLY_MIGRATION_URL: database.adminUrl,
    MAYFLY_DATA_DIR: directory,
    MAYFLY_CONFIG_DIR: directory,
    MAYFLY_PUBLIC_URL: PUBLIC_URL,
    MAYFLY_LOG_LEVEL: 'silent',
    MAYFLY_QUEUE: 'off',
    PORT: '0',
    ...options.environment,
  };
  const broker = await startBroker(readConfig(environment), environment);
  return {
    ...{ url: broker.url, broker, database, ci, staff },
    workloadToken: (sub) => ci.sign({ sub }),
    personToken: (...groups) => staff.sign({ sub: `${groups.join('-') || 'nobody'}@id.example`, groups }),
    call: (method, path, call = {}) => callBroker(broker.url, method, path, call),
    stop: async () => {
      await broker.stop();
      if (options.database === undefined) await database.drop();
      await rm(directory, { recursive: true });
    },
  };
}

function issuerDocuments(ci: FakeIssuer, staff: FakeIssuer): Document[] {
  const keys = (issuer: FakeIssuer) => ({
    ...{ profile: 'oidc', issuer: issuer.issuer, audiences: [issuer.audience], algorithms: [issuer.algorithm] },
    keys: { jwks: issuer.jwks() },
  });
  const roles = Object.fromEntries(ROLES.map((role) => [role, { claim: 'groups', values: [role] }]));
  return [
    { kind: 'Issuer', metadata: { name: 'ci' }, spec: keys(ci) },
    { kind: 'Issuer', metadata: { name: 'staff' }, spec: { ...keys(staff), roles } },
  ];
}

async function callBroker(url: string, method: string, path: string, call: Call): Promise<Answer> {
  const { token, json, form } = call;
  const body = form === undefined ? (json === undefined ? null : JSON.stringify(json)) : new URLSearchParams(form);
  const response = await fetch(`${url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...call.headers,
    },
    body,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): Answer['body'] {
  try {
    return JSON.parse(text) as Answer['body'];
  } catch {
    return {};
  }
}

/** An agent of issuer `ci` whose subject is its name, in the runtime `ci-runner`. */
export function agentDocument(name: string, duty: string): Document {
  const identities = [{ issuer: 'ci', subject: name, runtime: 'ci-runner' }];
  return {
    kind: 'Agent',
    metadata: { name, labels: { duty } },
    spec: { owner: 'support-platform', backupOwner: 'crm-platform', identities },
  };
}

/** A template of one signed token for agents of this duty. */
export function tokenTemplateDocument(name: string, duty: string, audience: string): Document {
  return {
    kind: 'TaskTemplate',
    metadata: { name },
    spec: {
      ...{ description: 'Read cases.', owner: 'support-platform', backupOwner: 'crm-platform' },
      review: { by: 'security', everyDays: 90 },
      requesters: { agents: { duty }, runtimes: ['ci-runner'] },
      parameters: { type: 'object', properties: {}, additionalProperties: false },
      lifetime: { defaultSeconds: 900, maxSeconds: 1800 },
      quota: { tasksPerMinute: 600, concurrentTasks: 50 },
      credentials: [{ name: 'api', provider: 'signed-token', scope: { audience, operations: ['cases.read'] } }],
    },
  };
}

/** Who may introspect the tokens of an audience: workloads of issuer `ci`. */
export function resourceServerDocument(name: string, audience: string, ...subjects: readonly string[]): Document {
  const resourceServers = subjects.map((subject) => ({ issuer: 'ci', subject }));
  const config = { audience, resourceServers };
  return {
    kind: 'Connection',
    metadata: { name },
    spec: { provider: 'signed-token', owner: 'support-platform', config },
  };
}
