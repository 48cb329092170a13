/** Whether the text is a JSON Pointer (RFC 6901 §3), or the name of a top-level claim, which does not begin with `/`. */
export function isClaimPath(path: string): boolean {
  return !path.startsWith('/') || !/~(?![01])/.test(path);
}

/**
 * The claim at a path: a pointer where it begins with `/`, else a top-level claim of exactly this name. A pointer leads
 * through members of objects only, so that no place in a list decides. Undefined where there is none.
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
