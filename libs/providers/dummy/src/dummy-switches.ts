import type { LeaseId } from '@mayfly/kernel';

/**
 * What goes wrong with a mint. `fail before effect` proves that nothing was made; after `fail after effect` and after
 * either way of hanging (until the caller's signal) the caller cannot know.
 */
export type MintFault = 'fail before effect' | 'fail after effect' | 'hang before effect' | 'hang after effect';

/** The failure switches of the dummy target. Each is set for one lease or, without a lease, for all of them. */
export class DummySwitches {
  /** `probe` fails */
  down = false;
  private readonly faults = new Map<LeaseId | 'all', MintFault>();
  private readonly slowness = new Map<LeaseId | 'all', number>();
  private readonly unknownRevocations = new Map<LeaseId | 'all', number>();

  failMint(fault: MintFault, leaseId: LeaseId | 'all' = 'all'): void {
    this.faults.set(leaseId, fault);
  }

  slowMint(milliseconds: number, leaseId: LeaseId | 'all' = 'all'): void {
    this.slowness.set(leaseId, milliseconds);
  }

  /** The next `times` calls to revoke answer `unknown` and do nothing. */
  loseRevocations(times: number, leaseId: LeaseId | 'all' = 'all'): void {
    this.unknownRevocations.set(leaseId, times);
  }

  /** Everything works again. */
  reset(): void {
    this.down = false;
    for (const switched of [this.faults, this.slowness, this.unknownRevocations]) switched.clear();
  }

  forMint(leaseId: LeaseId): { readonly fault: MintFault | undefined; readonly slowMs: number } {
    return {
      fault: this.faults.get(leaseId) ?? this.faults.get('all'),
      slowMs: this.slowness.get(leaseId) ?? this.slowness.get('all') ?? 0,
    };
  }

  /** Whether this call to revoke is lost; uses one of the lost calls up. */
  takeUnknownRevocation(leaseId: LeaseId): boolean {
    const key = this.unknownRevocations.has(leaseId) ? leaseId : 'all';
    const left = this.unknownRevocations.get(key) ?? 0;
    if (left > 0) this.unknownRevocations.set(key, left - 1);
    return left > 0;
  }
}
