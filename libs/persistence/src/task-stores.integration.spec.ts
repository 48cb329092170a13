import { afterAll, beforeAll, describe } from '@jest/globals';
import {
  closingResultsSuite,
  closingStoreSuite,
  identityUsesSuite,
  issuanceStoreSuite,
  keyHoldStoreSuite,
  type RequestStores,
  signingKeyStoreSuite,
  TaskDatabase,
  taskStoreSuite,
} from '@mayfly/testing';
import { PgClosingStore } from './tasks/closing.store.js';
import { Database } from './database/database.js';
import { IdentityUseStore } from './tasks/identity-use.store.js';
import { PgIssuanceStore } from './tasks/issuance.store.js';
import { PgKeyHoldStore } from './tasks/key-hold.store.js';
import { PgSigningKeyStore } from './keys/signing-key.store.js';
import { PgTaskStore } from './tasks/task.store.js';

describe('on PostgreSQL', () => {
  let scene: TaskDatabase;
  let database: Database;
  let stores: RequestStores;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    database = new Database({ url: scene.url, searchPath: scene.searchPath, onConnectionLost: () => undefined });
    const { pool } = database;
    stores = {
      scene,
      issuance: new PgIssuanceStore(pool),
      closing: new PgClosingStore(pool, scene.clock),
      tasks: new PgTaskStore(pool),
      keyHolds: new PgKeyHoldStore(pool),
      identityUses: new IdentityUseStore(pool),
    };
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
  taskStoreSuite(emptied);
  keyHoldStoreSuite(emptied);
  identityUsesSuite(emptied);
  signingKeyStoreSuite(async () => {
    await scene.empty();
    return (purpose) => new PgSigningKeyStore(database.pool, scene.clock, purpose);
  });
});
