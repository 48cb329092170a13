import { BrokerUnreachable } from '@mayfly/client';
import type { CommandFailure } from '../command-failure.js';
import { failureOf } from '../failure-of.js';
import { withoutTitle } from './check-words.js';
import { waitingWords } from '../changes/waiting.js';
import type { DeclarationsClient, SentDocument } from './declarations.client.js';
import { titleOf } from './declared-file.js';
import { isEffective, type ApplyStep } from './steps.js';

/** Result of applying one document. */
export type Outcome = 'unchanged' | 'applied' | 'waiting' | 'published' | 'failed' | 'unknown' | 'not attempted';

export interface Applied {
  readonly step: ApplyStep;
  readonly outcome: Outcome;
  readonly failure?: CommandFailure;
  /** the change that waits for a second person */
  readonly changeId?: string;
}

/**
 * Applies the steps in order and reports each. A refused document stops the rest, which may refer to it; a draft that
 * is saved but not published does not. A broker's refusal becomes an outcome, never a rejection.
 */
export async function applySteps(
  client: Pick<DeclarationsClient, 'create' | 'replace' | 'publish'>,
  steps: readonly ApplyStep[],
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
  step: ApplyStep,
): Promise<Applied> {
  if (!isEffective(step)) return { step, outcome: 'unchanged' };
  let etag = step.etag ?? '';
  try {
    const sent = await send(client, step, etag);
    if ('changeId' in sent) return { step, outcome: 'waiting', changeId: sent.changeId };
    etag = sent.etag;
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

/** Sends a document that changes something. */
async function send(
  client: Pick<DeclarationsClient, 'create' | 'replace'>,
  { change, declared }: ApplyStep,
  etag: string,
): Promise<SentDocument> {
  if (change === 'create') return client.create(declared);
  return change === 'update' ? client.replace(declared, etag) : { etag };
}

/** Returns one line about a document for people; undefined for an unchanged one. */
export function outcomeWords({ step, outcome, failure, changeId }: Applied): string | undefined {
  const title = titleOf(step.declared);
  if (changeId !== undefined) return `${outcome}  ${title}: ${waitingWords(changeId)}`;
  if (failure === undefined) return outcome === 'unchanged' ? undefined : `${outcome}  ${title}`;
  const state =
    step.publication !== undefined && outcome !== 'failed' && outcome !== 'unknown' ? 'not published' : outcome;
  const help = failure.help === undefined ? '' : `\n  ${failure.help}`;
  return `${state}  ${title}  (${step.file}): ${withoutTitle(title, failure.message)}${help}`;
}
