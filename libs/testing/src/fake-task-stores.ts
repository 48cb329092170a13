import { FakeClosingStore } from './fake-closing-store.js';
import { FakeIssuanceStore } from './fake-issuance-store.js';
import { FakeTaskRows } from './fake-task-rows.js';
import { FakeTaskStore } from './fake-task-store.js';
import type { TaskStores } from './task-stores.js';

/** The three fake stores over their own shared rows. */
export class FakeTaskStores implements TaskStores {
  readonly scene = new FakeTaskRows();
  readonly issuance = new FakeIssuanceStore(this.scene);
  readonly closing = new FakeClosingStore(this.scene);
  readonly tasks = new FakeTaskStore(this.scene);
}
