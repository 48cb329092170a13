import { randomFillSync } from 'node:crypto';

/**
 * Prefixes of Mayfly's ids. An id is a TypeID: prefix, `_`, and a UUID (RFC 9562) as 26 characters of Crockford's base
 * 32 in lower case. The UUID starts with the time in milliseconds.
 */
export type IdPrefix = 'tsk' | 'lse' | 'agt' | 'aud' | 'req' | 'lkd' | 'rcn' | 'dec' | 'chg';

export type Id<Prefix extends IdPrefix> = `${Prefix}_${string}`;
export type TaskId = Id<'tsk'>;
export type LeaseId = Id<'lse'>;
export type AgentId = Id<'agt'>;
export type LockdownId = Id<'lkd'>;
export type AuditEntryId = Id<'aud'>;
export type ReconciliationId = Id<'rcn'>;
export type DecisionId = Id<'dec'>;
export type ChangeId = Id<'chg'>;

/**
 * The cell that holds a task with its leases: 12 bits. There is one cell today. A task or lease id carries its cell, so
 * that the owner of the row follows from the id for ever.
 */
export const CELL = 0;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const SUFFIX = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;
/** The position of the 12 bits after the version: version 7 fills them with random bits, version 8 with the cell. */
const VERSION_7 = 7;
const VERSION_8 = 8;

/**
 * Returns a new id. Later ids of one process sort after earlier ones. An id of a task or a lease is a UUID of version
 * 8: time (48 bits), cell (12), counter and random bits (62). Any other id is of version 7.
 */
export function newId<Prefix extends IdPrefix>(prefix: Prefix): Id<Prefix> {
  const carriesCell = prefix === 'tsk' || prefix === 'lse';
  const bytes = nextBytes();
  if (carriesCell) {
    bytes[6] = (VERSION_8 << 4) | (CELL >> 8);
    bytes[7] = CELL & 0xff;
  } else bytes[6] = (VERSION_7 << 4) | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f); // the variant of RFC 9562 §4.1
  return `${prefix}_${encode(bytes)}`;
}

/** True when the text has the form of an id with this prefix. The thing itself may not exist. */
export function isId<Prefix extends IdPrefix>(prefix: Prefix, text: string): text is Id<Prefix> {
  return text.startsWith(`${prefix}_`) && SUFFIX.test(text.slice(prefix.length + 1));
}

/** Returns the id of the decision on the request that opened a task: the same UUID. No other decision has one of version 8. */
export function decisionOfTask(id: TaskId): DecisionId {
  return `dec${id.slice(id.indexOf('_'))}` as DecisionId;
}

/** Returns the task whose request the decision is on, if the decision permitted it. */
export function taskOfDecision(id: DecisionId): TaskId {
  return `tsk${id.slice(id.indexOf('_'))}` as TaskId;
}

/** Returns the cell of a task or a lease. Ids of version 7 were given before ids had a cell: they are of cell 0. */
export function cellOf(id: TaskId | LeaseId): number {
  // 130 bits in 26 digits: two of padding, 48 of time, then version and cell in digits 10 to 13 (bits 50 to 69).
  const start = id.indexOf('_') + 11;
  const digit = (at: number): number => ALPHABET.indexOf(id.charAt(start + at));
  const bits = (digit(0) << 15) | (digit(1) << 10) | (digit(2) << 5) | digit(3);
  return bits >> 16 === VERSION_8 ? (bits >> 4) & 0xfff : 0;
}

const RANDOM_BYTES = 10;
/** Random bytes for many ids: one call for each id costs more than the rest of the id. */
const pool = Buffer.alloc(RANDOM_BYTES * 512);
let used = pool.length;
let lastMs = 0;
const last = new Uint8Array(16);

/** Time and random bytes. Within one millisecond the last 4 bytes count up from a random start. */
function nextBytes(): Uint8Array {
  // eslint-disable-next-line no-restricted-syntax -- an id says roughly when it was made; no decision reads this
  const nowMs = Date.now();
  if (nowMs <= lastMs && countUp()) return Uint8Array.from(last);
  lastMs = Math.max(nowMs, lastMs + 1);
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  last.set(pool.subarray(used, used + RANDOM_BYTES), 6);
  used += RANDOM_BYTES;
  last[12] = (last[12] ?? 0) & 0x7f; // room to count up
  for (let at = 5, rest = lastMs; at >= 0; at -= 1, rest = Math.floor(rest / 256)) last[at] = rest % 256;
  return Uint8Array.from(last);
}

/** Adds one to the last 4 bytes. False when they are used up. */
function countUp(): boolean {
  for (let at = 15; at >= 12; at -= 1) {
    const byte = (last[at] ?? 0) + 1;
    last[at] = byte & 0xff;
    if (byte <= 0xff) return true;
  }
  return false;
}

/** Crockford's base 32: two bits of padding, then 26 digits of 5 bits. */
function encode(bytes: Uint8Array): string {
  let text = '';
  let [rest, bits] = [0, 2];
  for (const byte of bytes) {
    rest = (rest << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((rest >> bits) & 31);
    }
    rest &= (1 << bits) - 1;
  }
  return text;
}
