import { FakeDeclarationStore } from './fake-declaration-store.js';
import { declarationStoreSuite } from './suites/declaration-store.suite.js';

declarationStoreSuite(() => {
  const store = new FakeDeclarationStore();
  return Promise.resolve({ store, countEntries: () => Promise.resolve(store.entries.length) });
});
