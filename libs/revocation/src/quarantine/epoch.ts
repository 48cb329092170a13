/** An entry that a database has sealed. */
export interface LogPosition {
  /** the number of the entry; 0 before the first one */
  readonly sequence: number;
  /** the leaf hash of the entry, in base64url; empty before the first one */
  readonly leaf: string;
}

/** A position in the audit log of one database: the lineage of the database, and the last entry that was seen. */
export interface Epoch extends LogPosition {
  /** a random id; a confirmation gives the database a new one */
  readonly lineage: string;
}

/** The epoch as the database has it. */
export interface StoredEpoch {
  /** undefined until the first epoch was written outside */
  readonly lineage: string | undefined;
  /** true when an epoch of this lineage was written outside */
  readonly isWritten: boolean;
  readonly head: LogPosition;
  /** the leaf hash of the entry that the reader asked for; empty when the database has no such entry */
  readonly leafAt: string;
  /** the outside epoch that the last confirmation replaces */
  readonly superseded: Epoch | undefined;
  readonly quarantine: QuarantineRecord | undefined;
}

/** Reasons for a quarantine. */
export const QUARANTINE_CAUSES = [
  /** the database lacks the last entry that was seen */
  'older',
  /** the database has another entry in its place */
  'forked',
  /** the outside epoch belongs to another database */
  'other_lineage',
  /** the outside epoch is gone */
  'missing',
] as const;
export type QuarantineCause = (typeof QUARANTINE_CAUSES)[number];

/** A quarantine as it is recorded. */
export interface QuarantineRecord {
  readonly since: Date;
  readonly cause: QuarantineCause;
  /** the outside epoch that the database did not match; undefined when it was gone */
  readonly expected: Epoch | undefined;
  /** the last entry that the database had then */
  readonly found: LogPosition;
}

/** The result of a comparison. `write`: the database has this epoch, and the outside half should follow it. */
export type EpochVerdict =
  { readonly kind: 'same' | 'write' } | { readonly kind: 'quarantine'; readonly cause: QuarantineCause };

/**
 * Compares the outside epoch with the database. INVARIANT: `stored` was read after `outside`. An epoch is written
 * outside only after its entry was committed, so a database that lost nothing has every entry that was written outside.
 */
export function compareEpochs(outside: Epoch | undefined, stored: StoredEpoch): EpochVerdict {
  if (outside === undefined) return stored.isWritten ? quarantine('missing') : { kind: 'write' };
  if (stored.superseded !== undefined && isSame(outside, stored.superseded)) return { kind: 'write' };
  if (stored.lineage === undefined) return quarantine('older');
  if (outside.lineage !== stored.lineage) return quarantine('other_lineage');
  if (outside.sequence > stored.head.sequence) return quarantine('older');
  if (outside.leaf !== stored.leafAt) return quarantine('forked');
  return { kind: outside.sequence === stored.head.sequence ? 'same' : 'write' };
}

function quarantine(cause: QuarantineCause): EpochVerdict {
  return { kind: 'quarantine', cause };
}

function isSame(one: Epoch, other: Epoch): boolean {
  return one.lineage === other.lineage && one.sequence === other.sequence && one.leaf === other.leaf;
}
