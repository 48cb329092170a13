import { FakeReconciliations } from './fake-reconciliations.js';
import { reconciliationsSuite } from './suites/reconciliations.suite.js';
import { TestClock } from './test-clock.js';

reconciliationsSuite(() => {
  const clock = new TestClock();
  const store = new FakeReconciliations(clock);
  return {
    store,
    advance: (seconds) => {
      clock.advance(seconds);
    },
    auditTypes: async () => store.audit.map(({ type }) => type),
  };
});
