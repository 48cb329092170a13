import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { failure, NO_CONTENT, success, textOf, type Answer, type Fields } from './answers.js';

interface TransitKeyState {
  /** AES-256-GCM keys, the first one is version 1 */
  readonly versions: Buffer[];
  minDecryptionVersion: number;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The transit engine of one mount, with the answers of `builtin/logical/transit` and `sdk/helper/keysutil` of Vault. */
export class TransitEngine {
  private readonly keys = new Map<string, TransitKeyState>();

  /** Answers a path below the mount, such as `decrypt/mayfly`. */
  answer(method: string, path: string, fields: Fields): Answer {
    const [verb = '', ...rest] = path.split('/');
    if (verb === 'keys') return this.keyRoute(method, rest, fields);
    if (method !== 'POST') return failure(405, 'unsupported operation');
    const name = rest.at(-1) ?? '';
    if (verb === 'encrypt') return this.encrypt(this.keys.get(name) ?? this.create(name), textOf(fields.plaintext));
    const key = this.keys.get(name);
    if (key === undefined) return UNKNOWN;
    return verb === 'datakey' ? this.dataKey(key, rest[0]) : this.opened(key, verb, fields);
  }

  private opened(key: TransitKeyState, verb: string, fields: Fields): Answer {
    const opened = open(key, textOf(fields.ciphertext));
    if (typeof opened === 'string') return failure(400, opened);
    if (verb === 'decrypt') return success({ data: { plaintext: opened.toString('base64') } });
    return verb === 'rewrap' ? sealed(key, opened) : failure(404, 'unsupported path');
  }

  private keyRoute(method: string, [name = '', action = '']: readonly string[], fields: Fields): Answer {
    const key = this.keys.get(name) ?? (method === 'POST' && action === '' ? this.create(name) : undefined);
    if (key === undefined) return failure(404);
    if (action === 'rotate') key.versions.push(randomBytes(32));
    if (action === 'config') key.minDecryptionVersion = Number(fields.min_decryption_version);
    return NO_CONTENT;
  }

  private create(name: string): TransitKeyState {
    const key = { versions: [randomBytes(32)], minDecryptionVersion: 1 };
    this.keys.set(name, key);
    return key;
  }

  private dataKey(key: TransitKeyState, kind: string | undefined): Answer {
    const plain = randomBytes(32);
    const answer = sealed(key, plain);
    if (kind === 'wrapped') return answer;
    if (kind !== 'plaintext') return failure(400, "Invalid path, must be 'plaintext' or 'wrapped'");
    const { data } = answer.body as { data: Fields };
    return success({ data: { ...data, plaintext: plain.toString('base64') } });
  }

  private encrypt(key: TransitKeyState, plaintext: string): Answer {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plaintext)) return failure(400, 'failed to base64-decode plaintext');
    return sealed(key, Buffer.from(plaintext, 'base64'));
  }
}

const UNKNOWN = failure(400, 'encryption key not found');

function sealed({ versions }: TransitKeyState, plain: Buffer): Answer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', versions.at(-1)!, nonce);
  const bytes = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  const version = versions.length;
  const ciphertext = `vault:v${String(version)}:${bytes.toString('base64')}`;
  return success({ data: { ciphertext, key_version: version } });
}

/** Returns the plaintext, or the words of the refusal. */
function open({ versions, minDecryptionVersion }: TransitKeyState, ciphertext: string): Buffer | string {
  if (!ciphertext.startsWith('vault:v')) return 'invalid ciphertext: no prefix';
  const [number = '', encoded, ...more] = ciphertext.slice('vault:v'.length).split(':');
  if (encoded === undefined || more.length > 0) return 'invalid ciphertext: wrong number of fields';
  const version = Number(number);
  if (!Number.isInteger(version)) return 'invalid ciphertext: version number could not be decoded';
  if (version > versions.length) return 'invalid ciphertext: version is too new';
  if (version < minDecryptionVersion) return 'ciphertext or signature version is disallowed by policy (too old)';
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return 'invalid ciphertext: too short';
  const cipher = createDecipheriv('aes-256-gcm', versions[version - 1]!, bytes.subarray(0, NONCE_BYTES));
  cipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([cipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), cipher.final()]);
  } catch {
    return 'cipher: message authentication failed';
  }
}
