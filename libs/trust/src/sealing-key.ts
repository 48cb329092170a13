import { hkdfSync } from 'node:crypto';
import { Problem } from '@mayfly/kernel';

/** Sealing keys. Each is 32 random bytes, as 64 hexadecimal digits or as base64 (either alphabet, padding optional). */
export interface SealingKeys {
  /** the key that seals and opens */
  readonly current: string;
  /** keys that only open values sealed before the last key change */
  readonly previous?: readonly string[];
}

/** HKDF-SHA-256 (RFC 5869): derives a separate key for each purpose. */
export function derive(material: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', material, Buffer.alloc(0), purpose, 32));
}

/** Returns the bytes of a key. Throws `internal` when they are not 32; the message contains no key. */
export function parseKey(text: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  if (/^[\w+/-]{43}=?$/.test(text)) return Buffer.from(text, 'base64');
  throw new Problem('internal', 'a sealing key does not have 32 bytes; write it as 64 hexadecimal digits or as base64');
}
