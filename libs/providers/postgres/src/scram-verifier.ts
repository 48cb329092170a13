import { createHash, createHmac, pbkdf2, pbkdf2Sync, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const deriveInPool = promisify(pbkdf2);

/** Rounds that take a few microseconds: less than the way to the thread pool and back. */
const FEW_ROUNDS = 16;

/**
 * Returns the SCRAM-SHA-256 verifier that PostgreSQL stores in place of a password (RFC 5802 section 3, with the hash
 * of RFC 7677). Mayfly computes it, so that the password never reaches the server or its log. `password` must be ASCII,
 * which SASLprep does not change. The derivation runs in Node's thread pool, unless it has few rounds.
 */
export async function scramVerifier(
  password: string,
  iterations: number,
  salt: Buffer = randomBytes(16),
): Promise<string> {
  const salted =
    iterations <= FEW_ROUNDS
      ? pbkdf2Sync(password, salt, iterations, 32, 'sha256')
      : await deriveInPool(password, salt, iterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${String(iterations)}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
