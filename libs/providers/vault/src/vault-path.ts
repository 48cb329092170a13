const SEGMENT = /^[A-Za-z0-9_.-]{1,128}$/;

/** Mounts of the server itself, which hold no dynamic secrets. */
const RESERVED_MOUNTS = new Set(['sys', 'auth', 'identity', 'cubbyhole']);

/** `<mount>/issue/<role>` and `<mount>/sign/<role>`: the pki and ssh engines sign there and keep no lease. */
const SIGNING = /\/(issue|sign)\/[^/]+$/;

/**
 * Returns the reason why a scope may not name this path, or undefined. A path has a mount and at least one more
 * segment. Segments have no character with a special meaning to Vault, a URL or a policy (`*`, `+`, `%`, `?`, `..`).
 */
export function pathFault(path: string): string | undefined {
  const segments = path.split('/');
  if (path.length > 512) return 'use at most 512 characters';
  if (segments.length < 2) return 'name a mount and a path in it, such as `database/creds/readonly`';
  if (segments.some((segment) => !SEGMENT.test(segment) || /^\.+$/.test(segment)))
    return 'use segments of letters, digits, `_`, `.` and `-`, with single slashes between them and none at the ends';
  // a namespace may precede the mount, so a reserved mount may be any segment but the last
  const reserved = segments.slice(0, -1).find((segment) => RESERVED_MOUNTS.has(segment.toLowerCase()));
  return reserved === undefined ? undefined : `name a secrets engine; \`${reserved}/\` belongs to the server`;
}

/** Returns true when the engine at this path signs something and keeps no lease for it. */
export function isSigningPath(path: string): boolean {
  return SIGNING.test(path);
}

interface Mounted {
  readonly mount: string;
}

/** Returns the engine of `engines` that contains a path; of nested engines, the innermost. */
export function engineOf<Engine extends Mounted>(path: string, engines: readonly Engine[] = []): Engine | undefined {
  const around = engines.filter(({ mount }) => path.startsWith(`${mount}/`));
  return around.sort((a, b) => b.mount.length - a.mount.length)[0];
}

/** Returns the mount of a path: a known one, else its first segment. */
export function mountOf(path: string, engines?: readonly Mounted[]): string {
  return engineOf(path, engines)?.mount ?? path.slice(0, path.indexOf('/'));
}
