import type { AuditEntry } from '@mayfly/audit';
import type { EnteredQuarantine, Epoch, EpochRows, EpochStore, OutsideEpoch, StoredEpoch } from '@mayfly/revocation';

/** The outside epoch, in memory. */
export class FakeEpochStore implements EpochStore {
  current: OutsideEpoch | undefined;
  /** thrown by both methods */
  failure: Error | undefined;
  writes = 0;

  async read(): Promise<OutsideEpoch | undefined> {
    this.failUnlessWell();
    return this.current;
  }

  async write(epoch: Epoch, writtenAt: Date, version: string | undefined): Promise<boolean> {
    this.failUnlessWell();
    if (this.current?.version !== version) return false;
    this.writes += 1;
    this.current = { epoch, writtenAt, version: String(this.writes) };
    return true;
  }

  private failUnlessWell(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

/** The epoch inside of a database, in memory. A copy of it is a backup. */
export class FakeEpochRows implements EpochRows {
  readonly audit: AuditEntry[] = [];

  constructor(
    /** leaf hashes of the entries, in order */
    readonly leaves: string[] = [],
    private row: Pick<StoredEpoch, 'lineage' | 'isWritten' | 'superseded' | 'quarantine'> = NEW,
  ) {}

  copy(): FakeEpochRows {
    return new FakeEpochRows([...this.leaves], this.row);
  }

  async read(sequence: number): Promise<StoredEpoch> {
    const head = { sequence: this.leaves.length, leaf: this.leaves.at(-1) ?? '' };
    return { ...this.row, head, leafAt: this.leaves[sequence - 1] ?? '' };
  }

  async adopt(lineage: string): Promise<string> {
    this.row = { ...this.row, lineage: this.row.lineage ?? lineage };
    return this.row.lineage ?? lineage;
  }

  async noteWritten(lineage: string): Promise<void> {
    if (this.row.lineage === lineage) this.row = { ...this.row, isWritten: true };
  }

  async enter({ lineage, ...quarantine }: EnteredQuarantine, entry: AuditEntry): Promise<boolean> {
    if (this.row.quarantine !== undefined || this.row.lineage !== lineage) return false;
    this.row = { ...this.row, quarantine };
    this.append(entry);
    return true;
  }

  async confirm({ lineage, replaced }: Parameters<EpochRows['confirm']>[0], entry: AuditEntry): Promise<boolean> {
    if (this.row.quarantine === undefined) return false;
    this.row = { lineage, superseded: replaced, isWritten: false, quarantine: undefined };
    this.append(entry);
    return true;
  }

  private append(entry: AuditEntry): void {
    this.audit.push(entry);
    this.leaves.push(entry.id);
  }
}

const NEW = { lineage: undefined, isWritten: false, superseded: undefined, quarantine: undefined };
