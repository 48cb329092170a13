import { SCOPED_MEMBERS, UNSCOPED_ACTIONS, UNSCOPED_FAMILIES } from './unscoped-actions.data.js';

const EXACT = new Set(namesIn(UNSCOPED_ACTIONS));
const SCOPED = new Set(namesIn(SCOPED_MEMBERS));
const FAMILIES = namesIn(UNSCOPED_FAMILIES);

/** `Describe*` and similar prefixes of a service, or longer ones; no other wildcard. */
const FAMILY = /^[a-z0-9-]+:[a-z0-9]+\*$/;

/**
 * Returns true when AWS knows no resource for this action, so that `*` is the narrowest resource. AWS ignores the case
 * of names.
 */
export function isUnscoped(action: string): boolean {
  const name = action.toLowerCase();
  if (EXACT.has(name) || isUnscopedFamily(action)) return true;
  return /^[a-z0-9-]+:[a-z0-9]+$/.test(name) && !SCOPED.has(name) && isOfFamily(name);
}

/** Returns true when all actions behind a wildcard read or list, and all or nearly all have no resource. */
export function isUnscopedFamily(action: string): boolean {
  const name = action.toLowerCase();
  return FAMILY.test(name) && isOfFamily(name);
}

function isOfFamily(name: string): boolean {
  return FAMILIES.some((family) => name.startsWith(family));
}

function namesIn(table: Readonly<Record<string, string>>): string[] {
  return Object.entries(table).flatMap(([service, names]) =>
    names.split(/\s+/).map((name) => `${service}:${name}`.toLowerCase()),
  );
}
