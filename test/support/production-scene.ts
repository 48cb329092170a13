import { randomBytes, randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Role, RoleSchema } from '@mayfly/identity';
import type { JsonObject } from '@mayfly/kernel';
import { prepareDemoDatabase } from '@mayfly/embedded';
import { startTestPostgres } from '@mayfly/testing';
import { newTestIssuers, type TestIssuers } from './broker.js';
import { type BrokerProcess, type DatabaseScene, openPlace } from './broker-process.js';
import { startTestRedis } from './redis.js';
import { OWNERS } from './two-persons.js';

/** Production mode of docs/deploy.md: brokers and workers on one PostgreSQL and, if available, one Redis. */
export interface ProductionScene extends DatabaseScene {
  readonly issuers: TestIssuers;
  /** undefined: PostgreSQL holds the jobs */
  readonly redisUrl: string | undefined;
  /** secret settings of the operator, by name */
  readonly secrets: Readonly<Record<string, string>>;
  personToken(role: Role, subject?: string): Promise<string>;
  startBroker(): Promise<BrokerProcess>;
  startWorker(): Promise<BrokerProcess>;
}

export const PUBLIC_URL = 'https://mayfly.example';

/** Opens a production scene. Only the issuer of people is declared, by the bootstrap file. */
export async function openProductionScene(): Promise<ProductionScene> {
  const postgres = await startTestPostgres();
  const [database, crmUrl] = [await postgres.createDatabase(), await prepareDemoDatabase(postgres.server)];
  const redis = await startTestRedis();
  const { directory, start, endAll } = openPlace();
  const issuers = newTestIssuers();
  const sealingKey = randomBytes(32).toString('hex');
  const environment = {
    NODE_ENV: 'production',
    DATABASE_URL: database.url,
    MAYFLY_MIGRATION_URL: database.adminUrl,
    MAYFLY_SEALING_KEY: sealingKey,
    MAYFLY_PUBLIC_URL: PUBLIC_URL,
    MAYFLY_SECRETS_DIR: directory,
    MAYFLY_BOOTSTRAP_ISSUER: writePeople(directory, issuers),
    CRM_DATABASE_URL: crmUrl,
    ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
  };
  const begin = (more: Readonly<Record<string, string>>) => start({ ...environment, ...more });
  return {
    ...{ directory, database, issuers, redisUrl: redis?.url },
    targetUrl: postgres.server.url('crm', 'postgres'),
    secrets: { MAYFLY_SEALING_KEY: sealingKey, 'the password of the connection': new URL(crmUrl).password },
    agentToken: (sub) => Promise.resolve(issuers.workloads.sign({ sub, jti: randomUUID() })),
    resourceServerToken: (sub) => Promise.resolve(issuers.workloads.sign({ sub, jti: randomUUID() })),
    personToken: (role, sub = `one-${role}`) => Promise.resolve(issuers.staff.sign({ sub, roles: [role, ...OWNERS] })),
    start: (more = {}) => begin(more),
    startBroker: () => begin({ MAYFLY_WORKER: 'off' }),
    startWorker: () => begin({ MAYFLY_API: 'off' }),
    close: async () => {
      await endAll();
      await database.drop();
      await redis?.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function writePeople(directory: string, { staff }: TestIssuers): string {
  const roles = Object.fromEntries(RoleSchema.options.map((role) => [role, { claim: 'roles', values: [role] }]));
  const path = join(directory, 'people.yaml');
  const { spec } = staff.trusted('staff', { roles });
  const document = { kind: 'Issuer', metadata: { name: 'staff' }, spec } as unknown as JsonObject;
  writeFileSync(path, JSON.stringify(document));
  return path;
}
