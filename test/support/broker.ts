import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Role } from '@mayfly/identity';
import type { JsonObject } from '@mayfly/kernel';
import { prepareDemoDatabase } from '@mayfly/embedded';
import { FakeIssuer, startTestPostgres, type TestDatabase } from '@mayfly/testing';
import { type Broker, startBroker } from '../../apps/broker/src/broker.js';
import { readConfig } from '../../apps/broker/src/config.js';

const ROLES: readonly Role[] = ['platform', 'approver', 'operator', 'auditor', 'administrator'];
const clock = { now: () => new Date() };

/** The issuers of a test, under the names of the starter files. */
export interface TestIssuers {
  /** `development`, for workloads */
  readonly workloads: FakeIssuer;
  /** `development-staff`, for people: the claim `roles` holds their roles */
  readonly staff: FakeIssuer;
}

export interface TestBrokerOptions {
  /** YAML to apply at start after the issuers, instead of the starter files in `config/` */
  readonly documents?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly issuers?: TestIssuers;
  /** starts another replica with the database and issuers of this broker */
  readonly beside?: Pick<TestBroker, 'database' | 'issuers'>;
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject;
}

export interface TestCall {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A broker in this process, called over HTTP, on a real PostgreSQL. */
export interface TestBroker {
  readonly url: string;
  readonly broker: Broker;
  readonly database: TestDatabase;
  readonly issuers: TestIssuers;
  /** Signs a workload's token. The subject of a starter agent is its name. */
  agentToken(subject: string): string;
  personToken(role: Role, subject?: string): string;
  /** `send('POST /tasks', { token, body })` */
  send(route: string, call?: TestCall): Promise<TestAnswer>;
  /** Stops the broker. The first broker of a database also drops the database. */
  stop(): Promise<void>;
}

/** Starts a broker on its own database; by default with the starter templates and their demo database. */
export async function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const postgres = await startTestPostgres();
  const database = options.beside?.database ?? (await postgres.createDatabase());
  const issuers = options.beside?.issuers ?? options.issuers ?? newTestIssuers();
  const configDir = await mkdtemp(join(tmpdir(), 'mayfly-config-'));
  const cleanUp = async (): Promise<void> => {
    await rm(configDir, { recursive: true, force: true });
    if (options.beside === undefined) await database.drop();
  };
  try {
    await writeDocuments(configDir, issuers, options.documents);
    const environment = {
      PORT: '0',
      DATABASE_URL: database.url,
      MAYFLY_PUBLIC_URL: 'http://127.0.0.1:0',
      MAYFLY_MIGRATION_URL: database.adminUrl,
      MAYFLY_CONFIG_DIR: configDir,
      MAYFLY_LOG_LEVEL: 'silent',
      MAYFLY_QUEUE: 'off',
      CRM_DATABASE_URL: options.documents === undefined ? await prepareDemoDatabase(postgres.server) : '',
      ...options.environment,
    };
    const broker = await startBroker(readConfig(environment), environment);
    return {
      url: broker.url,
      broker,
      database,
      issuers,
      agentToken: (subject) => issuers.workloads.sign({ sub: subject, jti: randomUUID() }),
      personToken: (role, subject = `one-${role}`) => issuers.staff.sign({ sub: subject, roles: [role] }),
      send: (route, call) => send(broker.url, route, call),
      stop: async () => {
        await broker.stop();
        await cleanUp();
      },
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

export function newTestIssuers(): TestIssuers {
  return {
    workloads: new FakeIssuer({ clock, issuer: 'https://ci.example' }),
    staff: new FakeIssuer({ clock, issuer: 'https://id.example' }),
  };
}

/** Writes the issuers, then the documents of a test or the starter files, as files to apply at start. */
export async function writeDocuments(
  directory: string,
  { workloads, staff }: TestIssuers,
  documents?: string,
): Promise<void> {
  const roles = Object.fromEntries(ROLES.map((role) => [role, { claim: 'roles', values: [role] }]));
  const issuers = [workloads.trusted('development'), staff.trusted('development-staff', { roles })].map(
    ({ name, spec }) => JSON.stringify({ kind: 'Issuer', metadata: { name }, spec }),
  );
  await writeFile(join(directory, '0-issuers.yaml'), issuers.join('\n---\n'));
  if (documents !== undefined) return writeFile(join(directory, '1-documents.yaml'), documents);
  for (const file of await starterFiles()) await copyFile(join('config', file), join(directory, file));
}

/** Returns the files that the embedded default applies, without the folders beside them. */
export async function starterFiles(): Promise<string[]> {
  return (await readdir('config')).filter((file) => file.endsWith('.yaml'));
}

/** Sends one HTTP request. The body of the answer is JSON or empty. */
export async function send(
  url: string,
  route: string,
  { token, body, headers = {} }: TestCall = {},
): Promise<TestAnswer> {
  const [method = 'GET', path = '/'] = route.split(' ');
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? {} : (JSON.parse(text) as JsonObject),
  };
}
