import { createSecretKey, randomBytes, randomFillSync, type KeyObject } from 'node:crypto';
import { Problem } from '@mayfly/kernel';
import { derive, parseKey, type SealingKeys } from './sealing-key.js';
import { decrypt, encryptUnder, NONCE_BYTES, recordKey, TAG_BYTES } from './xaes-256-gcm.js';

/** A parsed key; a `KeyObject` shows no bytes when printed. */
interface SealingKey {
  /** A hint derived from the key, so that keys need no manual numbers; two keys may share it. */
  readonly id: number;
  readonly key: KeyObject;
}

const ID_BYTES = 1;
const HALF_NONCE_BYTES = NONCE_BYTES / 2;
/**
 * The number of values that share the first half of their nonces, and so the derived key. The second half stays random:
 * NIST SP 800-38D §8.3 allows 2^32 such values for one key.
 */
const VALUES_PER_DERIVED_KEY = 4_096;
const NONCES_PER_DRAW = 256;

/**
 * Seals values that are stored and must not be readable in the database (I10). A sealed value is key id (1 byte) ‖
 * nonce (24) ‖ ciphertext ‖ tag (16). The context is authenticated and not stored, so a value moved to another row,
 * column or purpose does not open.
 */
export class Sealer {
  private readonly current: SealingKey;
  private readonly all: readonly SealingKey[];
  private derived: { readonly half: Buffer; readonly key: Buffer; values: number } | undefined;
  private readonly drawn = Buffer.alloc(HALF_NONCE_BYTES * NONCES_PER_DRAW);
  /** the bytes of `drawn` that are used; all of them before the first draw */
  private taken = this.drawn.length;

  /** Throws `internal` when a key is not 32 bytes; the message contains no key. */
  constructor(keys: SealingKeys) {
    this.current = sealingKey(parseKey(keys.current));
    this.all = [this.current, ...(keys.previous ?? []).map((text) => sealingKey(parseKey(text)))];
  }

  /** The first bytes of sealed values, by key. Two keys may share one. */
  get keyIds(): { readonly current: number; readonly previous: readonly number[] } {
    return { current: this.current.id, previous: this.all.slice(1).map(({ id }) => id) };
  }

  /**
   * Seals text (as UTF-8) or bytes for one context, such as `signing-key:<kid>`. Two calls with the same input give
   * different results.
   */
  seal(plain: Uint8Array | string, context: string): Buffer {
    const { half, key } = this.derivedKey();
    const nonce = Buffer.concat([half, this.unused()]);
    const bytes = typeof plain === 'string' ? Buffer.from(plain) : plain;
    const sealed = encryptUnder(key, nonce, bytes, Buffer.from(context));
    return Buffer.concat([Buffer.from([this.current.id]), nonce, sealed]);
  }

  /** Returns random bytes that no nonce has had. One draw for many nonces: a draw costs as much as a cipher. */
  private unused(): Buffer {
    if (this.taken === this.drawn.length) {
      randomFillSync(this.drawn);
      this.taken = 0;
    }
    this.taken += HALF_NONCE_BYTES;
    return this.drawn.subarray(this.taken - HALF_NONCE_BYTES, this.taken);
  }

  /** Derives a key for many values: to derive one costs two of the three ciphers of a sealing. */
  private derivedKey(): { readonly half: Buffer; readonly key: Buffer } {
    if (this.derived === undefined || this.derived.values >= VALUES_PER_DERIVED_KEY) {
      const half = randomBytes(HALF_NONCE_BYTES);
      this.derived = { half, key: recordKey(this.current.key, half), values: 0 };
    }
    this.derived.values += 1;
    return this.derived;
  }

  /**
   * Opens a value sealed for this context. Throws `internal` when it was altered or moved, or when its key is missing.
   */
  open(sealed: Uint8Array, context: string): Buffer {
    const bytes = Buffer.from(sealed);
    if (bytes.length >= ID_BYTES + NONCE_BYTES + TAG_BYTES) {
      for (const { id, key } of this.all) {
        const plain = id === bytes[0] ? tryDecrypt(key, bytes.subarray(ID_BYTES), Buffer.from(context)) : undefined;
        if (plain !== undefined) return plain;
      }
    }
    throw new Problem(
      'internal',
      'a sealed value cannot be opened: its sealing key is missing, or the value was altered; add the key to `MAYFLY_SEALING_KEY_PREVIOUS`',
    );
  }
}

function tryDecrypt(key: KeyObject, bytes: Buffer, context: Buffer): Buffer | undefined {
  try {
    return decrypt(key, bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES), context);
  } catch {
    return undefined;
  }
}

function sealingKey(material: Buffer): SealingKey {
  return {
    id: derive(material, 'mayfly/key-id/v1').readUInt8(0),
    key: createSecretKey(derive(material, 'mayfly/seal/v1')),
  };
}
