import { Problem } from '@mayfly/kernel';
import type { SigningKeyPurpose, SigningKeyStore, StoredSigningKey } from '@mayfly/trust';

/** Signing keys in memory; any number of key rings may share it, as replicas share the database. */
export class FakeSigningKeyStore implements SigningKeyStore {
  private readonly rows: Map<SigningKeyPurpose, readonly StoredSigningKey[]>;
  /** Set it to have every call rejected as a database that is down rejects it. */
  down = false;

  /** `beside` is a store whose rows lie in the same place, such as that of another purpose. */
  constructor(
    readonly purpose: SigningKeyPurpose = 'access',
    beside?: FakeSigningKeyStore,
  ) {
    this.rows = beside?.rows ?? new Map<SigningKeyPurpose, readonly StoredSigningKey[]>();
  }

  async list(): Promise<readonly StoredSigningKey[]> {
    this.answer();
    return this.own;
  }

  async add(key: StoredSigningKey, expectedNewestKid: string | undefined): Promise<boolean> {
    this.answer();
    if (this.own.at(-1)?.kid !== expectedNewestKid) return false;
    if ([...this.rows.values()].flat().some(({ kid }) => kid === key.kid)) {
      throw new Problem('unavailable', 'the database did not take the change; try again');
    }
    this.plant(...this.own, key);
    return true;
  }

  /** Puts rows there that no replica added, as someone with access to the database could. */
  plant(...rows: readonly StoredSigningKey[]): void {
    this.rows.set(this.purpose, rows);
  }

  private get own(): readonly StoredSigningKey[] {
    return this.rows.get(this.purpose) ?? [];
  }

  private answer(): void {
    if (this.down) throw new Problem('unavailable', 'the signing keys cannot be read');
  }
}
