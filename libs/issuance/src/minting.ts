import { isDeepStrictEqual } from 'node:util';
import { clockAt, type ConnectionGates, type Minted, sealHandle, type Sealing } from '@mayfly/credentials';
import { type Json, type JsonObject, type LeaseId, Problem } from '@mayfly/kernel';
import type { StepObserver } from '@mayfly/tasks';
import type { IssuanceMetrics } from './issuance-metrics.js';
import type { IssuanceStore } from './issuance.store.js';
import type { Opened } from './opening.js';
import { MINT_DEADLINE_SECONDS, type LocalPlan, type Plan, type PlannedLease } from './plan.js';

/**
 * Thrown when a credential of a task could not be minted. Leases in `minted` exist and can be revoked at once; leases
 * in `neverMinted` are proven to have left nothing at the target; the outcome of all others is unknown until `mintBy`.
 */
export class MintFailure extends Error {
  constructor(
    readonly problem: Problem,
    readonly minted: readonly LeaseId[],
    readonly neverMinted: readonly LeaseId[],
  ) {
    super(problem.message, { cause: problem });
    this.name = 'MintFailure';
  }
}

/**
 * Step 10: one call of `mint` per lease, in parallel, with a deadline. Never repeats a call; a provider may repeat its
 * own call to the target after proof that nothing was made.
 */
export class Minter {
  /** leases whose handle was updated during their mint */
  private readonly recorded = new WeakSet<PlannedLease>();

  constructor(
    private readonly metrics: IssuanceMetrics,
    private readonly gates: ConnectionGates,
    private readonly store: Pick<IssuanceStore, 'recordHandle'>,
    private readonly sealing: Sealing,
    private readonly observer: StepObserver,
  ) {}

  /**
   * Mints the credentials of a remote plan, in the plan's order. INVARIANT: I1, it requires the proof that the intent
   * is committed. Throws `MintFailure` when any call failed, after all calls have ended.
   */
  mint({ plan }: Opened): Promise<readonly Minted<unknown>[]> {
    return this.mintAll(plan);
  }

  /** Mints credentials that leave nothing at a target, before the one commit of the request. Throws as `mint` does. */
  mintLocal(plan: LocalPlan): Promise<readonly Minted<unknown>[]> {
    return this.mintAll(plan);
  }

  private async mintAll(plan: Plan): Promise<readonly Minted<unknown>[]> {
    const outcomes = await Promise.allSettled(plan.leases.map((lease) => this.mintOne(lease)));
    const failures = plan.leases.flatMap((lease, index) => {
      const outcome = outcomes[index];
      return outcome?.status === 'rejected' ? [{ lease, id: lease.id, problem: asProblem(outcome.reason) }] : [];
    });
    const first = failures[0];
    if (first !== undefined) {
      await this.keepHandles(
        plan,
        outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : undefined)),
      );
      const failed = new Set(failures.map(({ id }) => id));
      const certain = failures.filter(({ lease, problem }) => this.isCertain(lease, problem));
      throw new MintFailure(
        first.problem,
        plan.leases.filter(({ id }) => !failed.has(id)).map(({ id }) => id),
        certain.map(({ id }) => id),
      );
    }
    this.compareClocks(plan);
    return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  }

  /**
   * Compares the clocks that the mints read. The target's clock ends the credential: when it is wrong, nothing may leave
   * Mayfly. Throws `MintFailure` with all leases as `minted`.
   */
  private compareClocks({ leases }: Plan): void {
    try {
      for (const { connection, target } of leases) {
        if (connection !== undefined) this.gates.noteClock(connection, clockAt(target.provider, target.config));
      }
    } catch (error) {
      throw new MintFailure(
        asProblem(error),
        leases.map(({ id }) => id),
        [],
      );
    }
  }

  /**
   * Saves the handles that the mints extended, for a task whose leases will not become active. Never rejects: if saving
   * fails, revocation uses the handle recorded before the mint.
   */
  async keepHandles(plan: Plan, minted: readonly (Minted<unknown> | undefined)[]): Promise<void> {
    const kept = plan.leases.flatMap((lease, index) => {
      const handle = minted[index]?.handle as Json | undefined;
      return handle === undefined || isDeepStrictEqual(handle, lease.handle) ? [] : [this.record(lease, handle)];
    });
    await Promise.allSettled(kept);
  }

  /** Saves the handle of a lease; true while the lease is still being minted. */
  private record({ id, target }: PlannedLease, handle: Json): Promise<boolean> {
    return this.store.recordHandle(id, sealHandle(this.sealing, id, target, handle));
  }

  /** True when the failure proves that nothing was minted. */
  private isCertain(lease: PlannedLease, problem: Problem): boolean {
    return problem.nothingMinted || (lease.traits.recordsFirst === true && !this.recorded.has(lease));
  }

  private async mintOne(lease: PlannedLease): Promise<Minted<unknown>> {
    const { provider } = lease.target;
    const started = performance.now();
    try {
      const minted = await this.callProvider(lease);
      this.metrics.issuanceEnded(provider.kind, 'issued');
      return minted;
    } catch (error) {
      const problem = asProblem(error);
      this.metrics.issuanceEnded(provider.kind, problem.code === 'provider_unavailable' ? 'unavailable' : 'rejected');
      throw problem;
    } finally {
      this.metrics.providerAnswered(provider.kind, 'mint', (performance.now() - started) / 1000);
    }
  }

  /** The one call of `provider.mint`. A remote call waits for a place at its connection and has a deadline. */
  private callProvider(lease: PlannedLease): Promise<Minted<unknown>> {
    const { target, traits, order, handle, connection } = lease;
    const { provider } = target;
    // INVARIANT: I1, a handle that revocation depends on is saved before the mint continues.
    const record = async (known: unknown): Promise<boolean> => {
      await this.observer.reached('handle');
      this.recorded.add(lease);
      const goesOn = await this.record(lease, known as Json);
      await this.observer.reached('record-handle');
      return goesOn;
    };
    if (!traits.remote) return provider.mint(order, handle, NEVER_ABORTED, record);
    return this.gates.run(connection, MINT_DEADLINE_SECONDS, (signal) => provider.mint(order, handle, signal, record));
  }
}

const NEVER_ABORTED = new AbortController().signal;

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem('provider_unavailable', 'the provider failed unexpectedly; try again later', { cause: error });
}

/**
 * Step 11, first half: compares each minted credential with its order, by code that does not mint. Throws
 * `MintFailure`, with all leases as `minted`, when a handle, an expiry or a secret is not as planned.
 */
export function checkMinted(plan: Plan, minted: readonly Minted<unknown>[]): void {
  plan.leases.forEach((lease, index) => {
    const complaint = complaintAbout(lease, minted[index]);
    if (complaint !== undefined) {
      throw new MintFailure(
        new Problem(
          'provider_unavailable',
          `the minted credential \`${lease.name}\` differs from its order; ask for a new task`,
          {
            cause: complaint,
          },
        ),
        plan.leases.map(({ id }) => id),
        [],
      );
    }
  });
}

function complaintAbout(lease: PlannedLease, minted: Minted<unknown> | undefined): string | undefined {
  if (minted === undefined) return 'nothing was minted';
  if (!completes(minted.handle, lease.handle)) return 'its handle differs from the recorded handle';
  // INVARIANT: I6, the provider's own expiry is never later than the granted deadline.
  if (minted.providerExpiresAt > lease.order.expiresAt) return 'its expiry is later than the deadline';
  if (Object.keys(minted.secret).length === 0) return 'it is empty';
  return lease.target.check(lease.order, minted);
}

/** True when the handle has every planned member unchanged; the provider may have added members. */
function completes(handle: unknown, planned: JsonObject): boolean {
  return typeof handle === 'object' && isDeepStrictEqual(handle, { ...handle, ...planned });
}
