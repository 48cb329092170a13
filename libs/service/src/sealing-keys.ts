import { Problem } from '@mayfly/kernel';
import type { SealedValuesReader } from '@mayfly/persistence';
import type { Sealer } from '@mayfly/trust';
import type { Logger } from 'pino';

/** The most leases that a start looks at. */
const LIMIT = 100_000;

/**
 * Refuses a start that lacks a sealing key which living leases or replayable answers need: their revocation would fail
 * until the key is back. Logs how many of them a previous key sealed. Throws `conflict` with their number.
 */
export async function requireSealingKeys(
  { keyIds }: Pick<Sealer, 'keyIds'>,
  values: Pick<SealedValuesReader, 'count'>,
  log: Pick<Logger, 'info' | 'warn'>,
): Promise<void> {
  const counts = await values.count(LIMIT);
  const known = new Set([keyIds.current, ...keyIds.previous]);
  const lacking = counts.filter(({ keyId }) => !known.has(keyId));
  const sum = (kind: string, of: typeof counts, what: 'count' | 'current') =>
    of.filter((one) => one.kind === kind).reduce((all, one) => all + one[what], 0);
  const [leases, answers] = [sum('lease', lacking, 'current'), sum('answer', lacking, 'current')];
  if (leases + answers > 0)
    throw new Problem(
      'conflict',
      `MAYFLY_SEALING_KEY: another key sealed ${String(leases)} leases that have not ended and ${String(answers)} answers that may be replayed; add it to MAYFLY_SEALING_KEY_PREVIOUS`,
    );
  const lost = sum('lease', lacking, 'count');
  if (lost > 0)
    log.warn(
      { leases: lost },
      'a sealing key is missing for leases that are long overdue; abandon them, or add the key',
    );
  if (keyIds.previous.length === 0) return;
  const previous = counts.filter(({ keyId }) => keyId !== keyIds.current && known.has(keyId));
  log.info(
    { leases: sum('lease', previous, 'count'), answers: sum('answer', previous, 'count') },
    'values that MAYFLY_SEALING_KEY_PREVIOUS still has to open, besides signing keys',
  );
}
