import { setTimeout as pause } from 'node:timers/promises';
import { codeOf, IN_THE_WAY } from '../failures.js';
import type { Session } from '../session.js';
import type { FoundRole } from './looks.js';
import { evictStatement, message } from './statements.js';

/** How long a statement keeps its place in the queue, while those ahead of it are ended. */
const PATIENCE_MS = 1_000;
const PAUSE_MS = 5;

/**
 * Does one statement on a role that agents are in the way of, by a change to their own role or a grant to this one that
 * they do not commit. Such sessions are ended in the same message, so that the statement is next in the queue; whatever
 * else is ahead of it is for `Obstacles`.
 */
export async function insist(session: Session, role: FoundRole, statement: string, signal: AbortSignal): Promise<void> {
  const evicting = message(PATIENCE_MS, [evictStatement(role), statement]);
  await untilFree(signal, () => session.query(evicting));
}

/** Tries until nobody is in the way; each try is a transaction of its own. The signal is the bound. */
export async function untilFree<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!IN_THE_WAY.includes(codeOf(error)) || signal.aborted) throw error;
      await pause(PAUSE_MS);
    }
  }
}
