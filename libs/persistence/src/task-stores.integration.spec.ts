import { afterAll, beforeAll, describe } from '@jest/globals';
import {
  abandonmentSuite,
  closingResultsSuite,
  closingStoreSuite,
  decisionStoreSuite,
  identityUsesSuite,
  issuanceStoreSuite,
  keyHoldStoreSuite,
  type RequestStores,
  signingKeyStoreSuite,
  TaskDatabase,
  taskStoreSuite,
} from '@mayfly/testing';
import { Database } from './database/database.js';
import { PgDecisionStore } from './decisions/decision.store.js';
import { requestStoresOn } from './request-stores.fixture.js';
import { PgSigningKeyStore } from './keys/signing-key.store.js';

describe('on PostgreSQL', () => {
  let scene: TaskDatabase;
  let database: Database;
  let stores: RequestStores;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    database = new Database({ url: scene.url, searchPath: scene.searchPath, onConnectionLost: () => undefined });
    stores = requestStoresOn(scene, database.pool);
  });

  afterAll(async () => {
    await database.close();
    await scene.stop();
  });

  const emptied = async (): Promise<RequestStores> => {
    await scene.empty();
    return stores;
  };

  issuanceStoreSuite(emptied);
  closingStoreSuite(emptied);
  closingResultsSuite(emptied);
  abandonmentSuite(emptied);
  taskStoreSuite(emptied);
  keyHoldStoreSuite(emptied);
  identityUsesSuite(emptied);
  decisionStoreSuite(async () => {
    await scene.empty();
    return new PgDecisionStore(database.pool);
  });
  signingKeyStoreSuite(async () => {
    await scene.empty();
    return (purpose) => new PgSigningKeyStore(database.pool, scene.clock, purpose);
  });
});
