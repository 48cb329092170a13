import { setTimeout as pause } from 'node:timers/promises';
import { codeOf, IN_THE_WAY } from '../failures.js';
import type { Session } from '../session.js';
import type { FoundRole } from './looks.js';
import { evictStatement, message } from './statements.js';

/** Lock timeout: the statement stays in the queue for this long while the sessions ahead are ended. */
const PATIENCE_MS = 1_000;
const PAUSE_MS = 5;

/**
 * Runs statements on a role that agents block by an uncommitted change to their own role or grant to this one. Ends
 * those sessions in the same message, so that the next statement is first in the queue. `Obstacles` ends all other
 * blockers.
 */
export async function insist(
  session: Session,
  role: FoundRole,
  statements: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const evicting = message(PATIENCE_MS, [evictStatement(role), ...statements]);
  await untilFree(signal, () => session.query(evicting));
}

/**
 * Retries `work` while another session blocks it; each try is a transaction of its own. The signal bounds the retries.
 */
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
