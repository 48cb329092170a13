import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { scramVerifier } from './scram-verifier.js';

/** The exchange of RFC 7677 section 3. */
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const AUTH_MESSAGE = [
  'n=user,r=rOprNGfwEbeRWgbNEkqO',
  'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
].join();
const CLIENT_PROOF = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
const SERVER_SIGNATURE = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

const VERIFIER = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/;

describe('scramVerifier', () => {
  it('scramVerifier makes the keys by which the exchange of RFC 7677 succeeds', async () => {
    const [, rounds, salt, stored = '', server = ''] = VERIFIER.exec(await scramVerifier('pencil', 4096, SALT)) ?? [];
    expect([rounds, salt]).toEqual(['4096', SALT.toString('base64')]);
    const signature = hmac(Buffer.from(stored, 'base64'));
    const clientKey = Buffer.from(CLIENT_PROOF, 'base64').map((byte, at) => byte ^ (signature[at] ?? 0));
    expect(createHash('sha256').update(clientKey).digest('base64')).toBe(stored);
    expect(hmac(Buffer.from(server, 'base64')).toString('base64')).toBe(SERVER_SIGNATURE);
  });

  it('scramVerifier never salts twice alike, and does not hold the password', async () => {
    const [first, second] = await Promise.all([scramVerifier('canary', 1), scramVerifier('canary', 1)]);
    expect(first).not.toBe(second);
    expect(first).not.toContain('canary');
    expect(first).toMatch(VERIFIER);
  });
});

function hmac(key: Buffer): Buffer {
  return createHmac('sha256', key).update(AUTH_MESSAGE).digest();
}
