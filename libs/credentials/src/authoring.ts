import type { Json } from '@mayfly/kernel';
import type { Hole, ScopeMember } from '@mayfly/templates';

/**
 * A provider's remark on one text in a rendered scope, for providers with a text grammar of their own:
 * - `narrowest`: the text has a wildcard, and the target knows nothing narrower;
 * - `below`: the wildcard matches everything below one named thing;
 * - `too-wide`: the wildcard matches more than a template may grant; a request with it is refused too;
 * - `unbound`: the text is a right without the condition that usually bounds it.
 * `detail` names the change for the author.
 */
export type ScopeRemark = { readonly path: readonly (string | number)[] } & (
  | { readonly kind: 'narrowest' | 'below' }
  | { readonly kind: 'too-wide'; readonly detail: string }
  | { readonly kind: 'unbound'; readonly detail: string }
);

/** A provider's rules for authors of templates. All members are pure. */
export interface Authoring {
  /** members of a scope, at any depth, that only the template's author sets: no free parameter fills them (I9) */
  readonly authoredMembers?: readonly string[];
  /**
   * True when only the author may set a member, because of its name or of its siblings in `members`. Adds to
   * `authoredMembers`.
   */
  isAuthored?(key: string, members: readonly ScopeMember[]): boolean;
  /**
   * Returns the faults of the holes in one text, in words for the author. `parts` alternates fixed texts and holes.
   * Called for texts of every template, since a name such as an ARN means the same in any scope; returns nothing for a
   * text of another grammar.
   */
  faultsOfText?(parts: readonly (string | Hole)[]): readonly string[];
  /** Returns remarks on the texts of a rendered scope, which need not fit the provider's schema. */
  readScope?(scope: Json): readonly ScopeRemark[];
}
