import { FakeDeclarationStore } from './fake-declaration-store.js';
import { changeStoreSuite } from './suites/change-store.suite.js';
import { declarationStoreSuite } from './suites/declaration-store.suite.js';

const make = () => {
  const store = new FakeDeclarationStore();
  return Promise.resolve({ store, countEntries: () => Promise.resolve(store.entries.length) });
};

declarationStoreSuite(make);
changeStoreSuite(make);
