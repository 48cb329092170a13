import type { MintOrder } from '@mayfly/credentials';
import { VaultFailure } from './failures.js';
import type { VaultConfig, VaultScope } from './vault.schemas.js';

export type Order = MintOrder<VaultConfig, VaultScope>;

/** Returns the whole seconds from `now` to `until`, rounded down, so that an expiry set by them is never later (I6). */
export function secondsUntil(until: Date, now: Date): number {
  return Math.floor((until.getTime() - now.getTime()) / 1000);
}

/** Tolerance for the lifetime in Vault's answer: Vault counts from its receipt of the call, in whole seconds. */
const ROUNDING_SECONDS = 1;

/** Throws `VaultFailure` (`clamped-lifetime`) when Vault granted less than asked, or warns that it did. */
export function refuseClamped(
  asked: number,
  granted: number | undefined,
  warnings: readonly string[] | null | undefined,
): void {
  const isWarned = (warnings ?? []).some((warning) => /capped|exceeded the effective/i.test(warning));
  if (granted !== undefined && granted >= asked - ROUNDING_SECONDS && !isWarned) return;
  const fact = `vault granted ${String(granted ?? 0)} s of the ${String(asked)} s that Mayfly asked for`;
  throw new VaultFailure('clamped-lifetime', { detail: `${fact}; raise the maximum there or ask for less` });
}

/** Throws `VaultFailure` (`too-late`) at or after `mintBy`. */
export function refuseLate({ mintBy }: Order, now: Date): void {
  if (now >= mintBy) throw new VaultFailure('too-late');
}
