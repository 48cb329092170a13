import type { Role } from '@mayfly/identity';
import { Problem } from '@mayfly/kernel';
import type { DeclarationKind } from '../document.schema.js';
import { kindWord, type Declarer } from './declared-record.js';

/** A document, stored or new, with the owner that its spec may name. */
export interface OwnedDocument {
  readonly kind: DeclarationKind;
  readonly name: string;
  readonly spec: unknown;
}

/**
 * The control `ownership`: a platform person acts only on documents whose owner is a group of that person. Administrators
 * act for every owner, persons with a role in `also` on this step, and Mayfly itself on the files of the operator. Throws
 * `policy_denied`, also for a person whose groups nobody stated.
 */
export function refuseForeign(
  by: Declarer,
  documents: readonly (OwnedDocument | undefined)[],
  also: readonly Role[] = [],
): void {
  if (by.actor.kind === 'mayfly') return;
  const { roles, groups } = by.rights ?? { roles: [], groups: [] };
  if (['administrator' as const, ...also].some((role) => roles.includes(role))) return;
  const foreign = documents.find((document) => document !== undefined && !groups.includes(ownerOf(document) ?? ''));
  if (foreign !== undefined) throw refusalOf(foreign);
}

/** Returns the owner that the document names; undefined without one. */
function ownerOf({ spec }: Pick<OwnedDocument, 'spec'>): string | undefined {
  const { owner } = spec as { readonly owner?: unknown };
  return typeof owner === 'string' ? owner : undefined;
}

function refusalOf({ kind, name, spec }: OwnedDocument): Problem {
  const [owner, title] = [ownerOf({ spec }), `${kindWord(kind)} \`${name}\``];
  if (owner === undefined)
    return new Problem('policy_denied', `${title} names no owner, so only an administrator may change it`, {
      ...{ control: 'ownership', help: 'state one of your groups as `spec.owner`, or ask an administrator' },
    });
  return new Problem('policy_denied', `${title} belongs to \`${owner}\`, which is none of your groups`, {
    control: 'ownership',
    help: `ask a member of the group \`${owner}\` or an administrator, or name one of your groups as the owner of a document of your own`,
  });
}
