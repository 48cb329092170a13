/** The length of a window in seconds, and the limits on groups and on members of groups in one window. */
export interface EntryWindowOptions {
  readonly seconds: number;
  readonly maxGroups: number;
  readonly maxMembers: number;
}

/** Attempts with the same group share one count. The summary of the group states these names and values. */
export type Group = Readonly<Record<string, string>>;

/**
 * One attempt, with the largest number of entries that its group, and its member of the group, may write in a window.
 */
export interface Attempt {
  readonly group: Group;
  readonly limit: number;
  readonly member?: { readonly key: string; readonly limit: number };
}

/** The number of attempts of a group without their own entry, with the first and the last instant. */
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
 * Keeps refused callers from filling the audit log, which never loses an entry. In each window the first attempts of a
 * group get their own entries; the others are counted. No count is lost: when memory is full, an attempt is counted
 * under its `type` alone. This class decides no refusal.
 */
export class EntryWindows {
  private window = Number.NaN;
  private readonly groups = new Map<string, Counted>();
  private readonly members = new Map<string, number>();
  /** counts of finished windows, until `take` returns them */
  private readonly ended = new Map<string, Suppressed>();

  constructor(private readonly options: EntryWindowOptions) {}

  /** True when the attempt gets its own entry; otherwise counts it. */
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

  /** Counts an attempt whose entry could not be written. */
  count(at: Date, { group }: Pick<Attempt, 'group'>): void {
    this.putBack([{ group, count: 1, from: at, to: at }]);
  }

  /** Returns and removes the counts of windows that are finished at this time, or all counts. */
  take(at: Date | 'all'): Suppressed[] {
    if (at === 'all') this.close();
    else this.roll(at);
    const taken = [...this.ended.values()];
    this.ended.clear();
    return taken;
  }

  /** Keeps taken counts that could not be written. */
  putBack(suppressed: readonly Suppressed[]): void {
    for (const one of suppressed) {
      const known = this.ended.has(keyOf(one.group)) || this.ended.size < this.options.maxGroups;
      const group = known ? one.group : overflowOf(one.group);
      const key = keyOf(group);
      this.ended.set(key, merged(this.ended.get(key), { ...one, group }));
    }
  }

  /** A clock that was set back also starts a new window. */
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

/** Returns the group that counts when memory is full: the type alone, because callers choose the other members. */
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
