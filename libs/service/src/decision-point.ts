import { readFile } from 'node:fs/promises';
import type { PublicEgress } from '@mayfly/egress';
import { createGuardedPost } from '@mayfly/fetch';
import { DecisionPoint } from '@mayfly/policy';
import type { Logger } from 'pino';
import type { DecisionPointSettings } from './settings.js';

/** Returns the decision point of the settings; undefined when none is required. */
export function decisionPointOf(
  settings: DecisionPointSettings | undefined,
  egress: PublicEgress,
  log: Pick<Logger, 'warn'>,
): DecisionPoint | undefined {
  if (settings === undefined) return undefined;
  const { url, kind, timeoutMs, tokenFile } = settings;
  const post = createGuardedPost({ egress, timeoutMs });
  const ask = async (question: object): Promise<unknown> => {
    const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
    return post(url, question, token);
  };
  return new DecisionPoint(kind, ask, (error) => {
    log.warn({ err: error }, 'the decision point gave no decision, which denied a request');
  });
}
