import { describe, expect, it } from '@jest/globals';
import { activationOf, declareFor, taskIntent } from './builders.js';
import { FakeDecisionStore } from './fake-decision-store.js';
import { FakeTaskStores } from './fake-task-stores.js';
import { abandonmentSuite } from './suites/abandonment.suite.js';
import { closingResultsSuite } from './suites/closing-results.suite.js';
import { closingStoreSuite } from './suites/closing-store.suite.js';
import { decisionStoreSuite } from './suites/decision-store.suite.js';
import { identityUsesSuite } from './suites/identity-uses.suite.js';
import { issuanceStoreSuite } from './suites/issuance-store.suite.js';
import { keyHoldStoreSuite } from './suites/key-hold-store.suite.js';
import { taskStoreSuite } from './suites/task-store.suite.js';

describe('the fakes', () => {
  issuanceStoreSuite(() => new FakeTaskStores());
  closingStoreSuite(() => new FakeTaskStores());
  closingResultsSuite(() => new FakeTaskStores());
  abandonmentSuite(() => new FakeTaskStores());
  taskStoreSuite(() => new FakeTaskStores());
  keyHoldStoreSuite(() => new FakeTaskStores());
  identityUsesSuite(() => new FakeTaskStores());
  decisionStoreSuite(() => new FakeDecisionStore());
});

describe('FakeTaskStores', () => {
  it('the fake task stores are unavailable while the database is down', async () => {
    const { issuance, closing, tasks, scene } = new FakeTaskStores();
    const intent = taskIntent(scene.clock);
    scene.down = true;
    const unavailable = { code: 'unavailable' };
    await expect(issuance.open(intent)).rejects.toMatchObject(unavailable);
    await expect(issuance.activate(activationOf(intent))).rejects.toMatchObject(unavailable);
    await expect(closing.claimDue({ limit: 1 })).rejects.toMatchObject(unavailable);
    await expect(tasks.find(intent.task.id)).rejects.toMatchObject(unavailable);
  });

  it('FakeTaskStores write nothing when the audit entry cannot be written', async () => {
    const { issuance, scene } = new FakeTaskStores();
    const intent = taskIntent(scene.clock);
    await declareFor(scene, intent);
    scene.auditFails = true;
    await expect(issuance.open(intent)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await scene.task(intent.task.id)).toBeUndefined();
    expect(await scene.runningTasks(intent.quota.scope)).toBe(0);
  });
});
