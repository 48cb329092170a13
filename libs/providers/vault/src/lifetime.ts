import type { MintOrder } from '@mayfly/credentials';
import { VaultFailure } from './failures.js';
import type { VaultConfig, VaultScope } from './vault.schemas.js';

export type Order = MintOrder<VaultConfig, VaultScope>;

/** The whole seconds from `now` to `until`: an end that is set by them never lies later (I6). */
export function secondsUntil(until: Date, now: Date): number {
  return Math.floor((until.getTime() - now.getTime()) / 1000);
}

/** What a lifetime that Vault answered may differ by: it counts from its own receipt of the call, in whole seconds. */
const ROUNDING_SECONDS = 1;

/** Throws `clamped-lifetime` when Vault granted less than it was asked for; a warning that says so is enough. */
export function refuseClamped(
  asked: number,
  granted: number | undefined,
  warnings: readonly string[] | null | undefined,
): void {
  const isWarned = (warnings ?? []).some((warning) => /capped|exceeded the effective/i.test(warning));
  if (granted !== undefined && granted >= asked - ROUNDING_SECONDS && !isWarned) return;
  throw new VaultFailure('clamped-lifetime', `asked for ${String(asked)} s, granted ${String(granted ?? 0)} s`);
}

/** Throws `too-late` at or after the instant from which nothing more may come into being at the target. */
export function refuseLate({ mintBy }: Order, now: Date): void {
  if (now >= mintBy) throw new VaultFailure('too-late');
}
