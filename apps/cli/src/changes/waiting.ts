import type { ChangeRequested } from '@mayfly/client';

/** Returns the id of the change that waits in place of the document; undefined when the answer is the document. */
export function waitingIn(body: object): string | undefined {
  return isWaiting(body) ? body.change.id : undefined;
}

/** Returns the text about a change that waits, for people. */
export function waitingWords(id: string): string {
  return `change ${id} waits for a second person: mayfly changes approve ${id}`;
}

function isWaiting(body: object): body is ChangeRequested {
  return 'change' in body;
}
