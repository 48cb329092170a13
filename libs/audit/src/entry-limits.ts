import { LRUCache } from 'lru-cache';

/** How many identities are told apart; those not seen longest are forgotten first. */
const MAX_IDENTITIES = 10_000;

export interface EntryLimitOptions {
  /** entries in one second for each identity */
  readonly perIdentity: number;
  /** entries in one second for all identities together that share the second limit */
  readonly shared: number;
}

/** Counts entries of one second; `suppressed` outlives it, until an entry tells of it. */
interface Window {
  second: number;
  written: number;
  suppressed: number;
}

/**
 * Keeps callers who are refused from filling an audit log that nothing can be removed from. An entry is either written,
 * with the number of those that went missing before it, or counted. Nothing here decides what is refused.
 */
export class EntryLimits {
  private readonly all = newWindow();
  /** of identities that were forgotten before an entry told of them */
  private forgotten = 0;
  private readonly byIdentity = new LRUCache<string, Window>({
    max: MAX_IDENTITIES,
    dispose: ({ suppressed }) => {
      this.forgotten += suppressed;
    },
  });

  constructor(private readonly options: EntryLimitOptions) {}

  /** For callers that nobody can tell apart: how many entries are missing before this one, undefined when it is another. */
  admitStranger(at: Date): number | undefined {
    return this.admit(at, [[this.all, this.options.shared]]);
  }

  /**
   * The same for a proven identity. `isStranger`: it stands for nobody who is declared, and shares a limit with all who
   * do not, since an issuer can name any number of them.
   */
  admitIdentity(at: Date, issuer: string, subject: string, isStranger: boolean): number | undefined {
    const key = JSON.stringify([issuer, subject]);
    const own = this.byIdentity.get(key) ?? newWindow();
    this.byIdentity.set(key, own, { noDisposeOnSet: true });
    const limits: Limit[] = [[own, this.options.perIdentity]];
    return this.admit(at, isStranger ? [...limits, [this.all, this.options.shared]] : limits);
  }

  private admit(at: Date, limits: readonly Limit[]): number | undefined {
    const second = Math.floor(at.getTime() / 1000);
    for (const [window] of limits) if (window.second !== second) Object.assign(window, { second, written: 0 });
    const full = limits.find(([{ written }, limit]) => written >= limit);
    if (full !== undefined) {
      full[0].suppressed += 1;
      return undefined;
    }
    const missing = limits.reduce((sum, [{ suppressed }]) => sum + suppressed, this.forgotten);
    this.forgotten = 0;
    for (const [window] of limits) Object.assign(window, { written: window.written + 1, suppressed: 0 });
    return missing;
  }
}

type Limit = readonly [window: Window, limit: number];

function newWindow(): Window {
  return { second: 0, written: 0, suppressed: 0 };
}
