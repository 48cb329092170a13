import { auditEntry } from '@mayfly/audit';
import type { DeclaredRecord } from '../records/declared-record.js';
import type { RecordMove } from './change.store.js';
import type { DocumentChange } from './document-change.js';

/** Returns the move of an approved step, by the person who asked for it. */
export function stepMove(
  { operation, name, author }: DocumentChange,
  record: DeclaredRecord | undefined,
  at: Date,
): RecordMove {
  if (operation === 'enable') {
    const entry = auditEntry('connection.enabled', at, author.actor, {}, { name });
    return { kind: 'Connection', to: 'enabled', name, by: author, entry };
  }
  const facts = { from: record?.agent?.state, to: 'active' };
  const entry = auditEntry('agent.activated', at, author.actor, { agent: name }, facts);
  return { kind: 'Agent', to: 'active', name, by: author, entry };
}
