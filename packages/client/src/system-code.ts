/** Returns the `code` of a system error (`ENOENT`, `ECONNREFUSED`, …); undefined without one. */
export function systemCodeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
