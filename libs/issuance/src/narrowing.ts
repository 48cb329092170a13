import type { ProviderTraits } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';

/** The bounds of one task's lifetime, in whole seconds from now. */
export interface LifetimeBounds {
  readonly requestedSeconds?: number;
  readonly template: { readonly defaultSeconds: number; readonly maxSeconds: number };
  /** the remaining lifetime of the identity token */
  readonly identitySeconds: number;
  /** what is left of the parent, for a task that was handed on */
  readonly parentSeconds?: number;
  /** the obligation `shorterLifeSeconds` of the policies that permit the task */
  readonly policySeconds?: number;
  readonly providers: readonly { readonly kind: string; readonly traits: ProviderTraits }[];
}

export type LifetimeLimit = 'request' | 'template' | 'identity' | 'parent' | 'policy' | `provider ${string}`;

/** The lifetime that step 6 grants, in whole seconds. */
export interface GrantedLifetime {
  readonly grantedSeconds: number;
  /** the bound that was the smallest */
  readonly limitedBy: LifetimeLimit;
}

/**
 * Step 6: the smallest of the lifetimes of request, template, identity, policies and providers and what is
 * left of the parent (I8). Throws `policy_denied`,
 * naming the floor, when it is below the largest minimum of the providers; never raises it.
 */
export function narrowLifetime(bounds: LifetimeBounds): GrantedLifetime {
  const limits: readonly (readonly [LifetimeLimit, number])[] = [
    bounds.requestedSeconds === undefined
      ? ['template', bounds.template.defaultSeconds]
      : ['request', bounds.requestedSeconds],
    ['template', bounds.template.maxSeconds],
    ['identity', Math.floor(bounds.identitySeconds)],
    ...(bounds.parentSeconds === undefined ? [] : [['parent', Math.floor(bounds.parentSeconds)] as const]),
    ...(bounds.policySeconds === undefined ? [] : [['policy', bounds.policySeconds] as const]),
    ...bounds.providers.map(({ kind, traits }) => [`provider ${kind}`, traits.maxTtlSeconds] as const),
  ];
  const [limitedBy, grantedSeconds] = limits.reduce((least, limit) => (limit[1] < least[1] ? limit : least));
  const floor = bounds.providers.reduce((most, { traits }) => Math.max(most, traits.minTtlSeconds), 1);
  if (grantedSeconds < floor) {
    throw new Problem(
      'policy_denied',
      `the lifetime of ${String(grantedSeconds)} s is below the floor of ${String(floor)} s`,
      {
        control: 'lifetime',
        help: `ask for at least ${String(floor)} s, with an identity token that is valid for as long`,
      },
    );
  }
  return { grantedSeconds, limitedBy };
}
