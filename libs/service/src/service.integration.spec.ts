import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AllowList } from '@mayfly/egress';
import { startTestPostgres, type TestDatabase } from '@mayfly/testing';
import { type Service, startService } from './service.js';
import type { Services } from './services.js';
import type { ServiceSettings } from './settings.js';

let database: TestDatabase;
let settings: ServiceSettings;
beforeAll(async () => {
  database = await (await startTestPostgres()).createDatabase();
  settings = {
    ...{ production: false, databaseUrl: database.url, migrationUrl: database.adminUrl, redisUrl: undefined },
    ...{ dataDir: '/nowhere', configDir: undefined, secretsDir: undefined, bootstrapIssuer: undefined },
    ...{
      sealingKey: '0f'.repeat(32),
      epochUrl: undefined,
      sealingVaultFile: undefined,
      previousSealingKeys: [],
      egressAllow: AllowList.read(''),
      logLevel: 'silent',
    },
    ...{ worker: true, queue: false, lockdownAgeSeconds: 5, clockToleranceSeconds: 5 },
    ...{ decisionPoint: undefined, failpoint: undefined },
  };
});
afterAll(() => database.drop());

/** Starts the service with a server that notes its calls, and fails to listen with `failure`. */
function start(calls: string[], failure?: Error): Promise<Service> {
  return startService({
    ...{ settings, publicUrl: 'https://mayfly.example', variables: { values: {}, isReserved: () => false } },
    createServer: async (services: Services) => {
      await services.ready();
      calls.push('created');
      return {
        listen: async () => {
          calls.push('listens');
          if (failure !== undefined) throw failure;
        },
        close: async () => {
          // The database is open until the server is closed.
          await services.ready();
          calls.push('closed');
        },
      };
    },
  });
}

describe('the service under an app without HTTP', () => {
  it('the service makes the server of the app listen when it can grant, and closes it first', async () => {
    const calls: string[] = [];
    const service = await start(calls);
    expect(calls).toEqual(['created', 'listens']);
    await service.stop();
    expect(calls).toEqual(['created', 'listens', 'closed']);
  });

  it('stops all that it started when the server cannot listen, and rejects with the reason', async () => {
    const calls: string[] = [];
    await expect(start(calls, new Error('the port is taken'))).rejects.toThrow('the port is taken');
    expect(calls).toEqual(['created', 'listens', 'closed']);
  });
});
