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
