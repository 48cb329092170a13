/** Seconds of a window, and how many groups and members of groups one window tells apart. */
export interface EntryWindowOptions {
  readonly seconds: number;
  readonly maxGroups: number;
  readonly maxMembers: number;
}

/** What is counted together: the names and values that the summary of the group states. */
export type Group = Readonly<Record<string, string>>;

/** One attempt: entries of its group that a window has at most, and of one member of the group, where it has one. */
export interface Attempt {
  readonly group: Group;
  readonly limit: number;
  readonly member?: { readonly key: string; readonly limit: number };
}

/** How many attempts of a group have no entry of their own, and when they were made. */
export interface Suppressed {
  readonly group: Group;
  readonly count: number;
  readonly from: Date;
  readonly to: Date;
}

interface Counted {
  readonly group: Group;
  written: number;
  suppressed?: Suppressed;
}

/**
 * Keeps callers who are refused from filling an audit log that nothing can be removed from: in each window the first
 * attempts of a group have entries of their own, and the others are counted. No count is lost: what does not fit into
 * memory is counted under the group's `type` alone. Nothing here decides what is refused.
 */
export class EntryWindows {
  private window = Number.NaN;
  private readonly groups = new Map<string, Counted>();
  private readonly members = new Map<string, number>();
  /** counts of windows that are over, until somebody takes them */
  private readonly ended = new Map<string, Suppressed>();

  constructor(private readonly options: EntryWindowOptions) {}

  /** Whether the attempt has an entry of its own; otherwise it is counted. */
  admit(at: Date, { group, limit, member }: Attempt): boolean {
    this.roll(at);
    const counted = this.groupOf(group);
    const isNamed = counted.group === group || keyOf(counted.group) === keyOf(group);
    if (isNamed && counted.written < limit && this.admitMember(group, member)) {
      counted.written += 1;
      return true;
    }
    counted.suppressed = merged(counted.suppressed, { group: counted.group, count: 1, from: at, to: at });
    return false;
  }

  /** Counts an attempt whose entry could not be written after all. */
  count(at: Date, { group }: Pick<Attempt, 'group'>): void {
    this.putBack([{ group, count: 1, from: at, to: at }]);
  }

  /** The counts of windows that are over at this time, or all of them; they are the caller's now. */
  take(at: Date | 'all'): Suppressed[] {
    if (at === 'all') this.close();
    else this.roll(at);
    const taken = [...this.ended.values()];
    this.ended.clear();
    return taken;
  }

  /** Keeps counts that were taken and could not be told. */
  putBack(suppressed: readonly Suppressed[]): void {
    for (const one of suppressed) {
      const known = this.ended.has(keyOf(one.group)) || this.ended.size < this.options.maxGroups;
      const group = known ? one.group : overflowOf(one.group);
      const key = keyOf(group);
      this.ended.set(key, merged(this.ended.get(key), { ...one, group }));
    }
  }

  /** A clock that was set back starts a window as well. */
  private roll(at: Date): void {
    const window = Math.floor(at.getTime() / 1000 / this.options.seconds);
    if (window === this.window) return;
    this.close();
    this.window = window;
  }

  private close(): void {
    const suppressed = [...this.groups.values()].flatMap((counted) => counted.suppressed ?? []);
    this.groups.clear();
    this.members.clear();
    this.putBack(suppressed);
  }

  private groupOf(group: Group): Counted {
    const known = this.groups.get(keyOf(group));
    if (known !== undefined) return known;
    const named = this.groups.size < this.options.maxGroups ? group : overflowOf(group);
    const counted = this.groups.get(keyOf(named)) ?? { group: named, written: 0 };
    this.groups.set(keyOf(named), counted);
    return counted;
  }

  private admitMember(group: Group, member: Attempt['member']): boolean {
    if (member === undefined) return true;
    const key = JSON.stringify([keyOf(group), member.key]);
    const written = this.members.get(key) ?? 0;
    if (written >= member.limit || (written === 0 && this.members.size >= this.options.maxMembers)) return false;
    this.members.set(key, written + 1);
    return true;
  }
}

/** Only the type is bounded by the code. */
function overflowOf({ type = '' }: Group): Group {
  return { type };
}

function keyOf(group: Group): string {
  return JSON.stringify(Object.entries(group).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function merged(known: Suppressed | undefined, more: Suppressed): Suppressed {
  if (known === undefined) return more;
  return {
    group: known.group,
    count: known.count + more.count,
    from: known.from < more.from ? known.from : more.from,
    to: known.to > more.to ? known.to : more.to,
  };
}
