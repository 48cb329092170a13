import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { decrypt, encrypt } from './xaes-256-gcm.js';

// The two published vectors (C2SP, XAES-256-GCM): the first key's derivation does not carry, the second one's does.
const NONCE = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
const PLAIN = Buffer.from('XAES-256-GCM');
const VECTORS = [
  { byte: 1, associated: '', sealed: 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271' },
  { byte: 3, associated: 'c2sp.org/XAES-256-GCM', sealed: '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d' },
];

describe('XAES-256-GCM', () => {
  it.each(VECTORS)(
    'XAES-256-GCM gives the published ciphertext for the key of bytes $byte',
    ({ byte, associated, sealed }) => {
      const key = createSecretKey(Buffer.alloc(32, byte));
      expect(encrypt(key, NONCE, PLAIN, Buffer.from(associated)).toString('hex')).toBe(sealed);
      expect(decrypt(key, NONCE, Buffer.from(sealed, 'hex'), Buffer.from(associated))).toEqual(PLAIN);
    },
  );

  it('XAES-256-GCM takes both halves of the nonce into account', () => {
    const key = createSecretKey(Buffer.alloc(32, 1));
    const sealed = encrypt(key, NONCE, PLAIN, Buffer.alloc(0));
    for (const at of [0, 11, 12, 23]) {
      const other = Buffer.from(NONCE);
      other.writeUInt8(other.readUInt8(at) ^ 1, at);
      expect(() => decrypt(key, other, sealed, Buffer.alloc(0))).toThrow();
    }
  });
});
