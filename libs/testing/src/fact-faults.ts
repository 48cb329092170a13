import { ENTRY_FACTS, type AuditEntryType } from '@mayfly/audit';

const ENVELOPE = new Set(['id', 'at', 'type', 'factsVersion', 'actor', 'taskId', 'leaseId', 'agent']);

/** Returns the difference between the facts of a stored entry and the schema of its type; none for a right entry. */
export function factFaults(body: string): readonly string[] {
  const entry = JSON.parse(body) as Record<string, unknown> & { readonly type: AuditEntryType };
  const facts = Object.fromEntries(Object.entries(entry).filter(([member]) => !ENVELOPE.has(member)));
  const parsed = ENTRY_FACTS[entry.type].safeParse(facts);
  return parsed.success ? [] : [`${entry.type}: ${parsed.error.message} in ${body}`];
}
