import type { EffectiveTraits, ProviderTraits } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import { FLOOR_SECONDS, type AwsConfig } from './config.schema.js';

/** Upper bounds of the traits of all connections. */
export const AWS_TRAITS: ProviderTraits = {
  revocation: 'propagating',
  minTtlSeconds: 1,
  maxTtlSeconds: 43_200,
  remote: true,
};

/** Returns the traits of one connection. */
export function effectiveTraitsOf({ revocation, maxSessionSeconds }: AwsConfig): EffectiveTraits {
  const common = { maxTtlSeconds: maxSessionSeconds, remote: true };
  if (revocation.mode === 'none') {
    const revocationNote =
      'AWS cannot revoke a session, and this connection has no deny policy: the session lives to its deadline';
    return { ...common, revocation: 'expiry-only', minTtlSeconds: FLOOR_SECONDS, revocationNote };
  }
  const seconds = String(revocation.propagationSeconds);
  return {
    ...common,
    revocation: 'propagating',
    minTtlSeconds: 1,
    revocationNote: `IAM applies a denial within ${seconds} s`,
  };
}

/** Throws `provider_rejected` for a lifetime outside the bounds of the connection. */
export function refuseLifetime({
  config,
  issuedAt,
  expiresAt,
}: {
  config: AwsConfig;
  issuedAt: Date;
  expiresAt: Date;
}): void {
  const { minTtlSeconds, maxTtlSeconds, revocation } = effectiveTraitsOf(config);
  const seconds = (expiresAt.getTime() - issuedAt.getTime()) / 1000;
  if (seconds >= minTtlSeconds && seconds <= maxTtlSeconds) return;
  const bounds = `${String(minTtlSeconds)} to ${String(maxTtlSeconds)} s`;
  const floor = revocation === 'expiry-only' ? `; STS has a floor of ${String(FLOOR_SECONDS)} s` : '';
  throw new Problem('provider_rejected', `a session of this connection lives ${bounds}${floor}; change the lifetime`);
}
