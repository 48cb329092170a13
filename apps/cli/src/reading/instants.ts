/** Formats an instant for a table: UTC, to the second. */
export function shortInstant(instant: string | undefined): string {
  return instant === undefined ? '' : instant.replace('T', ' ').replace(/(\.\d+)?Z$/, 'Z');
}
