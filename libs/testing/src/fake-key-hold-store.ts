import type { KeyHold, KeyHoldStore, KeyOwner, UsedKey } from '@mayfly/issuance';
import { addSeconds, present, type TaskId } from '@mayfly/kernel';
import type { FakeKey, FakeTaskRows } from './fake-task-rows.js';

/** The time after which a hold without an answer counts as left by a dead process. */
const HOLD_SECONDS = 30;

/** The store of `Idempotency-Key`s, in memory. */
export class FakeKeyHoldStore implements KeyHoldStore {
  constructor(private readonly rows: FakeTaskRows) {}

  async hold(owner: KeyOwner, key: string, fingerprint: string): Promise<KeyHold | UsedKey> {
    this.rows.answer();
    const used = this.rows.key({ ...owner, key });
    if (used !== undefined && !(used.taskId === undefined && this.isLapsed(used))) return this.recordOf(used);
    const claimedAt = this.rows.clock.now();
    this.rows.setKey({ ...owner, key }, { fingerprint, claimedAt });
    return { ...owner, key, heldAt: claimedAt.toISOString() };
  }

  async settle(hold: KeyHold, taskId: TaskId, sealedAnswer: Buffer, replayUntil: Date): Promise<boolean> {
    this.rows.answer();
    const used = this.rows.key(hold);
    if (used?.taskId !== taskId) return false;
    this.rows.setKey(hold, { ...used, sealedAnswer, replayUntil });
    return true;
  }

  async release(hold: KeyHold): Promise<void> {
    this.rows.answer();
    const used = this.rows.key(hold);
    if (used?.claimedAt.toISOString() !== hold.heldAt) return;
    const released = used.taskId === undefined ? undefined : { ...used, replayUntil: this.rows.clock.now() };
    this.rows.setKey(hold, released);
  }

  private recordOf(used: FakeKey): UsedKey {
    const now = this.rows.clock.now();
    const isSettled = used.replayUntil !== undefined || this.isLapsed(used);
    const mayReplay = used.replayUntil !== undefined && used.replayUntil > now;
    const shown = {
      taskId: isSettled ? used.taskId : undefined,
      sealedAnswer: mayReplay ? used.sealedAnswer : undefined,
    };
    return { fingerprint: used.fingerprint, ...present(shown) };
  }

  private isLapsed({ claimedAt }: FakeKey): boolean {
    return addSeconds(claimedAt, HOLD_SECONDS) < this.rows.clock.now();
  }
}
