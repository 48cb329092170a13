import { actorOf } from '@mayfly/audit';
import type { Principal } from '@mayfly/identity';
import type { Declarer } from './declared-record.js';

/** Returns the name of a principal for records: `issuer:subject`. */
function nameOf({ identity }: Principal): string {
  return `${identity.issuer}:${identity.subject}`;
}

/** Returns the declarer for the records and the audit. */
export function declarerOf(principal: Principal): Declarer {
  const rights = principal.kind === 'person' ? { rights: { roles: principal.roles, groups: principal.groups } } : {};
  return { name: nameOf(principal), actor: actorOf(principal), ...rights };
}
