import { type Clock, type ClockReading, clockReading } from '@mayfly/kernel';
import type { ServerFacts } from './server-facts.js';
import { addressKey, type TargetAddress } from './target.js';

/** The clocks of the servers, as the last login of the revocation sessions read each, at most half a minute ago. */
export class ServerClocks {
  private readonly read = new Map<string, ServerFacts['clock']>();

  constructor(private readonly clock: Clock | undefined) {}

  /** Keeps the clock that a login has read. */
  note(target: TargetAddress, { clock }: Pick<ServerFacts, 'clock'>): void {
    this.read.set(addressKey(target), clock);
  }

  /** Returns the reading, with the instants of the call by Mayfly's clock; undefined without one. */
  at(target: TargetAddress): ClockReading | undefined {
    const read = this.read.get(addressKey(target));
    if (read === undefined || this.clock === undefined) return undefined;
    const ahead = this.clock.now().getTime() - performance.now();
    return clockReading(new Date(ahead + read.sentMs), new Date(ahead + read.receivedMs), new Date(read.serverMs));
  }
}
