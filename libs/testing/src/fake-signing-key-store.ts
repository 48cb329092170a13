import { Problem } from '@mayfly/kernel';
import type { SigningKeyPurpose, SigningKeyStore, StoredSigningKey } from '@mayfly/trust';

/** Signing keys in memory. Several key rings may share one store, as replicas share the database. */
export class FakeSigningKeyStore implements SigningKeyStore {
  private readonly rows: Map<SigningKeyPurpose, readonly StoredSigningKey[]>;
  /** When true, every call rejects as with a database that is down. */
  down = false;

  /** `beside` is a store in the same database, such as that of another purpose. */
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
      throw new Problem('unavailable', 'the database did not commit the change; try again');
    }
    this.plant(...this.own, key);
    return true;
  }

  /** Replaces the rows, as an attacker with access to the database could. */
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
