import {
  openHandle,
  type SealedLease,
  type Sealing,
  sharedRevocation,
  type Targets,
  withDeadline,
} from '@mayfly/credentials';

/** Port: the revocation points that are due for a check, each with a lease whose handle leads to it. */
export interface UpkeepStore {
  /** Takes at most `limit` due points, so that no two workers check one point. Throws `unavailable`. */
  due(limit: number): Promise<
    readonly {
      readonly revocationPoint: string;
      readonly lease: SealedLease;
    }[]
  >;
}

const UPKEEP_DEADLINE_SECONDS = 15;

/** The parts that the upkeep works with. */
export interface UpkeepParts {
  readonly store: UpkeepStore;
  readonly targets: Targets;
  readonly sealing: Sealing;
  /** called with a failed check; the point becomes due again */
  readonly report: (error: unknown) => void;
}

/**
 * Lets providers check their shared revocation points (`SharedRevocation`) and repair deny policies that somebody
 * changed.
 */
export class RevocationUpkeep {
  constructor(private readonly parts: UpkeepParts) {}

  /**
   * Checks at most `limit` revocation points and returns their number. A failure at one point does not affect the
   * others.
   */
  async round(limit: number): Promise<number> {
    const due = await this.parts.store.due(limit);
    await Promise.all(due.map((one) => this.maintain(one).catch(this.parts.report)));
    return due.length;
  }

  private async maintain({ revocationPoint, lease }: Awaited<ReturnType<UpkeepStore['due']>>[number]): Promise<void> {
    const { target } = await openHandle(this.parts.sealing, this.parts.targets, lease);
    const { provider, config } = target;
    await withDeadline(UPKEEP_DEADLINE_SECONDS, async (signal) =>
      sharedRevocation(provider)?.maintain(config, revocationPoint, signal),
    );
  }
}
