/** True for a JSON Pointer (RFC 6901 §3), or for the name of a top-level claim, which does not begin with `/`. */
export function isClaimPath(path: string): boolean {
  return !path.startsWith('/') || !/~(?![01])/.test(path);
}

/**
 * Returns the claim at a path, or undefined. A path that begins with `/` is a pointer, any other path names a top-level
 * claim. A pointer goes through members of objects only, so that the order of a list decides nothing.
 */
export function claimAt(claims: object, path: string): unknown {
  return namesOf(path).reduce<unknown>((value, name) => memberOf(value, name), claims);
}

function namesOf(path: string): string[] {
  if (!path.startsWith('/')) return [path];
  return path
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function memberOf(value: unknown, name: string): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
