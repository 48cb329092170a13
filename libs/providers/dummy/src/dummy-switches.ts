import type { LeaseId } from '@mayfly/kernel';

/**
 * A fault of a mint. `fail before effect` proves that nothing was made. After `fail after effect`, and after both hangs
 * (until the caller's signal), the caller cannot know.
 */
export type MintFault = 'fail before effect' | 'fail after effect' | 'hang before effect' | 'hang after effect';

/** The failure switches of the dummy target. Each applies to one lease or, without a lease, to all leases. */
export class DummySwitches {
  /** makes `probe` fail */
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

  /** Makes the next `times` calls to `revoke` answer `unknown` and do nothing. */
  loseRevocations(times: number, leaseId: LeaseId | 'all' = 'all'): void {
    this.unknownRevocations.set(leaseId, times);
  }

  /** Clears all switches. */
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

  /** Returns true when this call to `revoke` is lost, and uses up one lost call. */
  takeUnknownRevocation(leaseId: LeaseId): boolean {
    const key = this.unknownRevocations.has(leaseId) ? leaseId : 'all';
    const left = this.unknownRevocations.get(key) ?? 0;
    if (left > 0) this.unknownRevocations.set(key, left - 1);
    return left > 0;
  }
}
