import { nearest } from '@mayfly/kernel';
import { GLOBAL_KEYS, SERVICE_KEYS, type KeyKind } from './condition-keys.data.js';

/** The tag key after `aws:PrincipalTag/` and similar keys. */
const TAG_KEY = /^[\w .:/=+@-]{1,128}$/;

const KEY = /^([a-z0-9-]{2,63}):[A-Za-z][\w.-]*([/:][\w .:/=+@-]{1,128})?$/;

/**
 * The known condition keys, in the case in which AWS writes them. An engine does not refuse an unknown key: the key
 * never matches, so that a Deny under it denies nothing and nobody notices. Hence the list and the exact case (AWS
 * itself ignores the case; other engines do not).
 */
const KNOWN = new Map<string, Set<KeyKind>>();
for (const [service, keys] of [['aws', GLOBAL_KEYS] as const, ...Object.entries(SERVICE_KEYS)]) {
  for (const [kind, names] of Object.entries(keys) as [KeyKind, string][]) {
    for (const name of names.split(/\s+/)) {
      const key = `${service}:${name}`;
      KNOWN.set(key, (KNOWN.get(key) ?? new Set()).add(kind));
    }
  }
}

/**
 * Returns the kinds of a known condition key; undefined for a key that is not on the list, or not in AWS's own case.
 */
export function kindsOfKey(key: string): ReadonlySet<KeyKind> | undefined {
  const exact = KNOWN.get(key);
  if (exact !== undefined) return key.endsWith('/') || key.endsWith(':') ? undefined : exact;
  const [, start = '', rest = ''] = /^([^:]+:[^/:]+[/:])(.*)$/s.exec(key) ?? [];
  return TAG_KEY.test(rest) ? KNOWN.get(start) : undefined;
}

/** Returns the service of a condition key; undefined for a text that is no condition key. */
export function serviceOfKey(key: string): string | undefined {
  return KEY.exec(key)?.[1];
}

/** Returns the known key that was probably meant: the same in another case, or at most two letters away. */
export function suggestedKey(key: string): string | undefined {
  const [, stem = '', tail = ''] = /^([^:]*:[^/:]*[/:]?)(.*)$/s.exec(key) ?? [];
  const known = [...KNOWN.keys()];
  const found =
    known.find((one) => one.toLowerCase() === stem.toLowerCase()) ??
    nearest(
      stem,
      known.filter((one) => one.startsWith(`${stem.split(':')[0] ?? ''}:`)),
    );
  return found === undefined ? undefined : `${found}${/[/:]$/.test(found) ? tail : ''}`;
}
