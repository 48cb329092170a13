import { FakeEpochRows, FakeEpochStore } from './fake-epoch.js';
import { epochRowsSuite, epochStoreSuite } from './suites/epoch.suite.js';

epochStoreSuite(async () => {
  const store = new FakeEpochStore();
  return [store, store];
});

epochRowsSuite(async () => {
  const rows = new FakeEpochRows();
  return {
    rows,
    seal: async () => {
      rows.leaves.push(`leaf-${String(rows.leaves.length + 1)}`);
      return rows.leaves.at(-1) ?? '';
    },
    auditTypes: async () => rows.audit.map(({ type }) => type),
  };
});
