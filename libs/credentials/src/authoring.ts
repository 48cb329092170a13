import type { Json } from '@mayfly/kernel';
import type { Hole, ScopeMember } from '@mayfly/templates';

/**
 * What a provider knows of one text in a rendered scope, where it reads texts in a way of its own:
 * - `narrowest`: it has a wildcard, and nothing narrower exists at the target;
 * - `below`: its wildcard stands for everything below one named thing;
 * - `too-wide`: its wildcard stands for more than a template may give, which is refused at a request too;
 * - `unbound`: it is a right that lacks the condition which usually bounds it.
 */
export interface ScopeRemark {
  readonly path: readonly (string | number)[];
  readonly kind: 'narrowest' | 'below' | 'too-wide' | 'unbound';
  readonly detail?: string;
}

/** What a provider knows that the author of a template must be told. All of it is pure. */
export interface Authoring {
  /** members of a scope, at any depth, that are the template author's alone: no free parameter fills them (I9) */
  readonly authoredMembers?: readonly string[];
  /** Whether a member is the author's alone besides, for its name or for what stands beside it in `members`. */
  isAuthored?(key: string, members: readonly ScopeMember[]): boolean;
  /**
   * What is wrong with the holes of one text, in words for the author: fixed texts and holes by turns. It is asked about texts
   * of every template, since a name such as an ARN means the same in any scope: nothing for a text of another grammar.
   */
  faultsOfText?(parts: readonly (string | Hole)[]): readonly string[];
  /** What is known of texts in a rendered scope, whether the provider's schema takes the scope or not. */
  readScope?(scope: Json): readonly ScopeRemark[];
}
