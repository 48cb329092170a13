import {
  openHandle,
  type SealedLease,
  type Sealing,
  sharedRevocation,
  type Targets,
  withDeadline,
} from '@mayfly/credentials';

/** Revocation points that have not been looked at lately, each with a lease that knows the way there. */
export interface UpkeepStore {
  due(limit: number): Promise<
    readonly {
      readonly revocationPoint: string;
      readonly lease: SealedLease;
    }[]
  >;
}

const UPKEEP_DEADLINE_SECONDS = 15;

export interface UpkeepParts {
  readonly store: UpkeepStore;
  readonly targets: Targets;
  readonly sealing: Sealing;
  /** told of what could not be looked at; it comes round again */
  readonly report: (error: unknown) => void;
}

/** Has providers look again at their shared revocation points (`SharedRevocation`), and put right what somebody changed. */
export class RevocationUpkeep {
  constructor(private readonly parts: UpkeepParts) {}

  /** One round over at most `limit` revocation points; says how many there were. One that fails holds up no other. */
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
