import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const deriveKey = promisify(pbkdf2);

/**
 * Returns the SCRAM-SHA-256 verifier that PostgreSQL stores in place of a password (RFC 5802 section 3, with the hash
 * of RFC 7677). Mayfly computes it, so that the password never reaches the server or its log. `password` must be ASCII,
 * which SASLprep does not change. The derivation runs in Node's thread pool.
 */
export async function scramVerifier(
  password: string,
  iterations: number,
  salt: Buffer = randomBytes(16),
): Promise<string> {
  const salted = await deriveKey(password, salt, iterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${String(iterations)}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
