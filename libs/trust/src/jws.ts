import { sign, verify, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { JsonObject } from '@mayfly/kernel';

/**
 * The algorithms of tokens that this service verifies. `EdDSA` means Ed25519 (RFC 8037); `ES256` is ECDSA on P-256 with
 * SHA-256 (RFC 7518 §3.4).
 */
export type VerifiedAlgorithm = 'EdDSA' | 'ES256';

/**
 * All signing algorithms. Targets verify `RS256`, RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3); this service never
 * does.
 */
export type SigningAlgorithm = VerifiedAlgorithm | 'RS256';

/** The digest of each algorithm; null for Ed25519, which hashes by itself. */
export const DIGESTS: Readonly<Record<SigningAlgorithm, string | null>> = {
  EdDSA: null,
  ES256: 'sha256',
  RS256: 'sha256',
};
/** the length for both verified algorithms; an RS256 signature is longer and does not decode */
const SIGNATURE_BYTES = 64;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// With a callback, node:crypto works on the thread pool and keeps the main thread free: docs/adr/0005-token-signing.md.
const signOnPool = promisify(sign);
const verifyOnPool = promisify(verify);

/** The decoded parts of a JWS in compact form. The signature is not verified yet. */
export interface DecodedJws {
  readonly header: JsonObject;
  readonly payload: Buffer;
  readonly signingInput: Buffer;
  readonly signature: Buffer;
}

/** Signs in compact form (RFC 7515 §5.1). `header.alg` must match `key`. */
export async function signJws(
  header: JsonObject & { readonly alg: SigningAlgorithm },
  payload: string,
  key: KeyObject,
  signInput: SignInput = onThreadPool,
): Promise<string> {
  const input = `${encode(JSON.stringify(header))}.${encode(payload)}`;
  const signature = await signInput(header.alg, key, input);
  return `${input}.${signature.toString('base64url')}`;
}

/** Makes the signature of a JWS (RFC 7515 §5.1) over `input`. */
export type SignInput = (algorithm: SigningAlgorithm, key: KeyObject, input: string) => Promise<Buffer>;

const onThreadPool: SignInput = (algorithm, key, input) =>
  signOnPool(DIGESTS[algorithm], Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });

/** True when this service verifies tokens of this algorithm. */
export function isVerified(algorithm: SigningAlgorithm): algorithm is VerifiedAlgorithm {
  return algorithm !== 'RS256';
}

/**
 * Returns the parts of a JWS in compact form (RFC 7515 §7.1); undefined for malformed text, or for a signature without
 * the length of a verified algorithm. Accepts only the canonical base64url spelling.
 */
export function decodeJws(text: string): DecodedJws | undefined {
  const [head, body, seal, ...rest] = text.split('.');
  if (head === undefined || body === undefined || seal === undefined || rest.length > 0) return undefined;
  const [header, payload, signature] = [decode(head), decode(body), decode(seal)];
  if (header === undefined || payload === undefined || signature?.length !== SIGNATURE_BYTES) return undefined;
  const members = parseObject(header);
  if (members === undefined) return undefined;
  return { header: members, payload, signingInput: Buffer.from(`${head}.${body}`), signature };
}

/**
 * True when `key` made the signature under this algorithm (RFC 7515 §5.2). The caller chooses both; the header has no
 * influence (RFC 8725 §3.1).
 */
export async function verifyJws(jws: DecodedJws, algorithm: VerifiedAlgorithm, key: KeyObject): Promise<boolean> {
  return verifyOnPool(DIGESTS[algorithm], jws.signingInput, { key, dsaEncoding: 'ieee-p1363' }, jws.signature);
}

/**
 * Returns the JSON object in these bytes; undefined when they are not well-formed UTF-8 (RFC 8725 §3.7) or not an
 * object.
 */
export function parseObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

/**
 * Decodes base64url without padding. Returns undefined unless encoding again gives the same text (no stray characters
 * or bits).
 */
function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
