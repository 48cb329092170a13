import { ONLY_LOG } from '@mayfly/audit';
import { FakeClosingStore } from './fake-closing-store.js';
import { FakeFactStore } from './fake-fact-store.js';
import { FakeIdentityUses } from './fake-identity-uses.js';
import { FakeIssuanceStore } from './fake-issuance-store.js';
import { FakeKeyHoldStore } from './fake-key-hold-store.js';
import { FakeTaskRows } from './fake-task-rows.js';
import { FakeTaskStore } from './fake-task-store.js';
import type { RequestStores } from './task-stores.js';

/** The fake stores over their own shared rows. */
export class FakeTaskStores implements RequestStores {
  readonly scene = new FakeTaskRows();
  readonly issuance = new FakeIssuanceStore(this.scene);
  readonly closing = new FakeClosingStore(this.scene);
  readonly tasks = new FakeTaskStore(this.scene);
  readonly decisions = this.scene.decisions;
  readonly facts = new FakeFactStore();
  readonly story: RequestStores['story'] = {
    story: async (taskId, { limit }) => {
      const entries = this.scene.audit.filter((entry) => entry.taskId === taskId);
      return { items: entries.slice(0, limit).map(({ body }) => ({ log: ONLY_LOG, body })) };
    },
  };
  readonly keyHolds = new FakeKeyHoldStore(this.scene);
  readonly identityUses = new FakeIdentityUses(this.scene);
}
