import { BrokerUnreachable } from '@mayfly/client';
import type { CommandFailure } from '../command-failure.js';
import { failureOf } from '../failure-of.js';
import { withoutTitle } from './check-words.js';
import type { DeclarationsClient } from './declarations.client.js';
import { titleOf } from './declared-file.js';
import { isEffective, type Step } from './steps.js';

/** What became of a document. */
export type Outcome = 'unchanged' | 'applied' | 'published' | 'failed' | 'unknown' | 'not attempted';

export interface Applied {
  readonly step: Step;
  readonly outcome: Outcome;
  readonly failure?: CommandFailure;
}

/**
 * Takes the steps one after the other and tells of each. A document that is refused stops the rest, which may name it; a
 * draft that was saved and not published does not. Never rejects for what the broker answers.
 */
export async function applySteps(
  client: Pick<DeclarationsClient, 'create' | 'replace' | 'publish'>,
  steps: readonly Step[],
  tell: (applied: Applied) => void,
): Promise<Applied[]> {
  const done: Applied[] = [];
  let stopped = false;
  for (const step of steps) {
    const applied: Applied = stopped ? { step, outcome: 'not attempted' } : await applyOne(client, step);
    stopped ||= applied.outcome === 'failed' || applied.outcome === 'unknown';
    tell(applied);
    done.push(applied);
  }
  return done;
}

async function applyOne(
  client: Pick<DeclarationsClient, 'create' | 'replace' | 'publish'>,
  step: Step,
): Promise<Applied> {
  if (!isEffective(step)) return { step, outcome: 'unchanged' };
  let etag = step.etag ?? '';
  try {
    if (step.change === 'create') etag = await client.create(step.declared);
    if (step.change === 'update') etag = await client.replace(step.declared, etag);
  } catch (error) {
    return { step, outcome: error instanceof BrokerUnreachable ? 'unknown' : 'failed', failure: failureOf(error) };
  }
  if (step.publication === undefined) return { step, outcome: 'applied' };
  try {
    await client.publish(step.declared.metadata.name, etag);
    return { step, outcome: 'published' };
  } catch (error) {
    return { step, outcome: step.change === 'unchanged' ? 'unchanged' : 'applied', failure: failureOf(error) };
  }
}

/** One line about a document, for people; undefined where there is nothing to tell. */
export function outcomeWords({ step, outcome, failure }: Applied): string | undefined {
  const title = titleOf(step.declared);
  if (failure === undefined) return outcome === 'unchanged' ? undefined : `${outcome}  ${title}`;
  const state =
    step.publication !== undefined && outcome !== 'failed' && outcome !== 'unknown' ? 'not published' : outcome;
  const help = failure.help === undefined ? '' : `\n  ${failure.help}`;
  return `${state}  ${title}  (${step.file}): ${withoutTitle(title, failure.message)}${help}`;
}
