import { createHmac, timingSafeEqual } from 'node:crypto';
import { isId, type TaskId } from '@mayfly/kernel';
import { derive, parseKey, type SealingKeys } from './sealing-key.js';

/** How every task token begins, so that people and scanners of secrets recognise one. */
const PREFIX = 'mft_';
const FORM = /^mft_([0-7][0-9a-hjkmnp-tv-z]{25})_([\w-]{43})$/;

/**
 * Makes and recognises task tokens: `mft_`, the id of the task and HMAC-SHA-256 (RFC 2104) of that id under a key derived
 * from the sealing key; 74 ASCII characters. Mayfly stores nothing of a token (ADR 0027). A token says which task it is
 * of, and never that the task lives: the caller asks the database.
 */
export class TaskTokens {
  private readonly keys: readonly [Buffer, ...Buffer[]];

  /** Throws `internal` when a key is not 32 bytes; the message contains no key. */
  constructor({ current, previous = [] }: SealingKeys) {
    this.keys = [tokenKey(current), ...previous.map(tokenKey)];
  }

  /** Returns the token of a task: the same one at each call, until the sealing key changes. */
  tokenOf(taskId: TaskId): string {
    return `${PREFIX}${taskId.slice('tsk_'.length)}_${macUnder(this.keys[0], taskId).toString('base64url')}`;
  }

  /** Returns the task of a token that this installation made, under any of its keys; undefined for any other text. */
  taskOf(token: string): TaskId | undefined {
    const [, id = '', mac = ''] = FORM.exec(token) ?? [];
    const taskId = `tsk_${id}`;
    const given = Buffer.from(mac, 'base64url');
    // One code has several spellings, whose last characters differ in bits that no byte has.
    if (!isId('tsk', taskId) || given.toString('base64url') !== mac) return undefined;
    return this.keys.some((key) => timingSafeEqual(given, macUnder(key, taskId))) ? taskId : undefined;
  }
}

function tokenKey(text: string): Buffer {
  return derive(parseKey(text), 'mayfly/task-token/v1');
}

function macUnder(key: Buffer, taskId: TaskId): Buffer {
  return createHmac('sha256', key).update(taskId).digest();
}
