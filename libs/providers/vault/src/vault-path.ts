const SEGMENT = /^[A-Za-z0-9_.-]{1,128}$/;

/** Mounts of the server itself: nothing that lies there is a dynamic secret. */
const RESERVED_MOUNTS = new Set(['sys', 'auth', 'identity', 'cubbyhole']);

/** `<mount>/issue/<role>`, `<mount>/sign/<role>`: what the pki and ssh engines sign, for which they keep no lease. */
const SIGNING = /\/(issue|sign)\/[^/]+$/;

/**
 * Why a path is none that a scope may name, or undefined. A path has a mount and at least one more segment; segments have
 * no character that Vault, a URL or a policy reads as anything but itself (`*`, `+`, `%`, `?`, `..`).
 */
export function pathFault(path: string): string | undefined {
  const segments = path.split('/');
  if (path.length > 512) return 'use at most 512 characters';
  if (segments.length < 2) return 'name a mount and what is read there, such as `database/creds/readonly`';
  if (segments.some((segment) => !SEGMENT.test(segment) || /^\.+$/.test(segment)))
    return 'use segments of letters, digits, `_`, `.` and `-`, with single slashes between them and none at the ends';
  // A namespace is a first part of the path as well: what is reserved in it stands further on.
  const reserved = segments.slice(0, -1).find((segment) => RESERVED_MOUNTS.has(segment.toLowerCase()));
  return reserved === undefined ? undefined : `name a secrets engine; \`${reserved}/\` belongs to the server itself`;
}

/** Whether the engine at this path signs something and keeps no lease for it. */
export function isSigningPath(path: string): boolean {
  return SIGNING.test(path);
}

interface Mounted {
  readonly mount: string;
}

/** The engine of `engines` that a path lies in, the innermost where one lies in another. */
export function engineOf<Engine extends Mounted>(path: string, engines: readonly Engine[] = []): Engine | undefined {
  const around = engines.filter(({ mount }) => path.startsWith(`${mount}/`));
  return around.sort((a, b) => b.mount.length - a.mount.length)[0];
}

/** The mount that a path lies in: a known one, else its first segment. */
export function mountOf(path: string, engines?: readonly Mounted[]): string {
  return engineOf(path, engines)?.mount ?? path.slice(0, path.indexOf('/'));
}
