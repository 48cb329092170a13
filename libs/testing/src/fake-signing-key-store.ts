import { Problem } from '@mayfly/kernel';
import type { SigningKeyStore, StoredSigningKey } from '@mayfly/trust';

/** Signing keys in memory; any number of key rings may share it, as replicas share the database. */
export class FakeSigningKeyStore implements SigningKeyStore {
  private rows: readonly StoredSigningKey[] = [];
  /** Set it to have every call rejected as a database that is down rejects it. */
  down = false;

  async list(): Promise<readonly StoredSigningKey[]> {
    this.answer();
    return this.rows;
  }

  async add(key: StoredSigningKey, expectedNewestKid: string | undefined): Promise<boolean> {
    this.answer();
    if (this.rows.at(-1)?.kid !== expectedNewestKid) return false;
    this.rows = [...this.rows, key];
    return true;
  }

  /** Puts rows there that no replica added, as someone with access to the database could. */
  plant(...rows: readonly StoredSigningKey[]): void {
    this.rows = rows;
  }

  private answer(): void {
    if (this.down) throw new Problem('unavailable', 'the signing keys cannot be read');
  }
}
