import { Problem } from '@mayfly/kernel';
import type { Declarer } from '../records/declared-record.js';
import { refuseForeign } from '../records/ownership.js';
import { isSamePerson, type DocumentChange } from './document-change.js';

/**
 * The person who decides on a change. INVARIANT: it is not the author, by issuer and subject. Approvers decide for every
 * owner, platform persons for their own groups, and operators on steps alone. Throws `policy_denied`.
 */
export function refuseDecider(change: DocumentChange, by: Declarer): void {
  const { kind, name, base, asked, author, operation } = change;
  if (isSamePerson(author.actor, by.actor))
    throw new Problem('policy_denied', 'the author of a change cannot decide on it', {
      control: 'four-eyes',
      help: 'ask another member of the platform team, or an approver; to take it back, send the document that is in force',
    });
  const roles = by.rights?.roles ?? [];
  const isOperator = roles.includes('operator');
  if (isOperator && operation !== 'put') return;
  if (isOperator && !roles.some((role) => role === 'platform' || role === 'approver'))
    throw new Problem('policy_denied', 'operators decide on steps, and not on the content of documents', {
      ...{ control: 'ownership', help: 'ask a member of the platform team, or an approver' },
    });
  const owned = [base, asked].map((content) =>
    content === undefined ? undefined : { kind, name, spec: content.spec },
  );
  refuseForeign(by, owned, ['approver']);
}
