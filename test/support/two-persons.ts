import type { JsonObject } from '@mayfly/kernel';
import type { TestAnswer } from './broker.js';

/** The owners of the documents that specs declare. */
export const OWNERS = ['support-platform', 'crm-platform'] as const;

type Send = (route: string, body?: JsonObject) => Promise<TestAnswer>;

/** Returns the id of the change that waits. Fails for any other answer. */
export function changeIdOf({ status, body }: TestAnswer): string {
  const { change } = body as { readonly change?: { readonly id: string } };
  if (status !== 202 || change === undefined) throw new Error(`no change waits: ${JSON.stringify(body)}`);
  return change.id;
}

/** Has a change that waits approved by a second person, and returns the answer to the approval. */
export async function approvedBy(second: Send, asked: Promise<TestAnswer>): Promise<TestAnswer> {
  return second(`POST /changes/${changeIdOf(await asked)}/approve`, {});
}
