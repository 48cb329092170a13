import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;

/**
 * XAES-256-GCM (C2SP): AES-256-GCM under a key derived for each record from the first half of a random 192-bit nonce.
 * Plain GCM with random 96-bit nonces allows only 2^32 records a key (NIST SP 800-38D §8.3), which a busy broker
 * reaches in days; XAES has no such limit in practice. Returns the ciphertext followed by the tag.
 */
export function encrypt(key: KeyObject, nonce: Buffer, plain: Uint8Array, associated: Buffer): Buffer {
  return encryptUnder(recordKey(key, nonce), nonce, plain, associated);
}

/** Does what `encrypt` does, with the key that `recordKey` derived from the first half of the nonce. */
export function encryptUnder(derived: Buffer, nonce: Buffer, plain: Uint8Array, associated: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', derived, nonce.subarray(12));
  cipher.setAAD(associated);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Reverses `encrypt`. Throws when a bit of the nonce, the ciphertext, the tag or the associated text differs. */
export function decrypt(key: KeyObject, nonce: Buffer, sealed: Buffer, associated: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', recordKey(key, nonce), nonce.subarray(12), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)), decipher.final()]);
}

/**
 * Derives the record's key from the first half of the nonce, by NIST SP 800-108r1 in counter mode with CMAC: three AES
 * calls for two blocks.
 */
export function recordKey(key: KeyObject, nonce: Buffer): Buffer {
  const aes = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  const mask = doubled(aes.update(Buffer.alloc(16)));
  const blocks = Buffer.concat([
    Buffer.from([0, 1, 0x58, 0]),
    nonce.subarray(0, 12),
    Buffer.from([0, 2, 0x58, 0]),
    nonce.subarray(0, 12),
  ]);
  return aes.update(blocks.map((byte, at) => byte ^ (mask[at % 16] ?? 0)));
}

/** Multiplies a block by x in GF(2^128), as CMAC does for its first subkey (NIST SP 800-38B §6.1). */
function doubled(block: Buffer): Buffer {
  const carried = block.map((byte, at) => ((byte << 1) | ((block[at + 1] ?? 0) >> 7)) & 0xff);
  if ((block[0] ?? 0) >> 7 === 1) carried[15] = (carried[15] ?? 0) ^ 0x87;
  return Buffer.from(carried);
}
