import { LRUCache } from 'lru-cache';
import type { Cedar } from './cedar-loader.js';
import { messageOf } from './policy-fault.js';
import type { PolicySet } from './policy-set.js';

/** The most sets that are parsed at a time; the one that was used longest ago makes room. */
const MAX_SLOTS = 256;

/**
 * The sets that one instance of Cedar has parsed. A set is kept under the name of a slot, and a slot is used again for the
 * next set: Cedar never releases a name, and a new one for each version of a set would fill the memory.
 */
export class PolicySlots {
  /** the slot of each parsed set, by the digest of the set */
  private readonly slots: LRUCache<string, string>;
  private readonly free = Array.from({ length: MAX_SLOTS }, (_, number) => `slot-${String(number)}`);

  constructor(private readonly cedar: Pick<Cedar, 'preparsePolicySet'>) {
    this.slots = new LRUCache({ max: MAX_SLOTS, dispose: (slot) => void this.free.push(slot) });
  }

  /** Returns the slot with a set; parses the set when no slot has it. Throws when Cedar does not take it. */
  slotOf({ digest, texts }: PolicySet): string {
    const known = this.slots.get(digest);
    if (known !== undefined) return known;
    if (this.free.length === 0) this.slots.pop();
    const slot = this.free.pop();
    if (slot === undefined) throw new Error('there is no free slot for a set of policies');
    try {
      this.parse(slot, texts);
    } catch (error) {
      this.free.push(slot);
      throw error;
    }
    this.slots.set(digest, slot);
    return slot;
  }

  private parse(slot: string, texts: PolicySet['texts']): void {
    const answer = this.cedar.preparsePolicySet(slot, { staticPolicies: { ...texts } });
    if (answer.type === 'failure') throw new Error(`Cedar refused a set of policies: ${messageOf(answer.errors)}`);
  }
}
