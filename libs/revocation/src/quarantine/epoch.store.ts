import type { AuditEntry } from '@mayfly/audit';
import type { Epoch, QuarantineRecord, StoredEpoch } from './epoch.js';

/** The outside epoch, with the version that `write` replaces. */
export interface OutsideEpoch {
  readonly epoch: Epoch;
  readonly writtenAt: Date;
  /** an opaque text */
  readonly version: string;
}

/** Port: the half of the epoch outside of the database: one file or object, which all replicas share. */
export interface EpochStore {
  /** Returns the epoch, undefined when none was written. Throws `unavailable`, also for content of another form. */
  read(): Promise<OutsideEpoch | undefined>;
  /**
   * Replaces the epoch that was read with this version; `undefined` expects that there is none. False, and nothing is
   * written, when another process wrote meanwhile. Throws `unavailable`.
   */
  write(epoch: Epoch, at: Date, version: string | undefined): Promise<boolean>;
}

/** A quarantine to record, with the lineage of the database that was compared. */
export interface EnteredQuarantine extends QuarantineRecord {
  readonly lineage: string | undefined;
}

/** Port: the half of the epoch inside of the database. All methods throw `unavailable`. */
export interface EpochRows {
  /** Reads the epoch and the leaf hash of entry `sequence`, in one snapshot. */
  read(sequence: number): Promise<StoredEpoch>;
  /** Gives the database its lineage, unless it has one, and returns the lineage that it has now. */
  adopt(lineage: string): Promise<string>;
  /** Records that an epoch of this lineage was written outside. */
  noteWritten(lineage: string): Promise<void>;
  /** Begins the quarantine with its audit entry. False when there is one already, or when the lineage has changed. */
  enter(found: EnteredQuarantine, entry: AuditEntry): Promise<boolean>;
  /**
   * Ends the quarantine with its audit entry: the database gets a new lineage, and the outside epoch `replaced` counts as
   * superseded. False when there is no quarantine.
   */
  confirm(change: { lineage: string; replaced: Epoch | undefined }, entry: AuditEntry): Promise<boolean>;
}
