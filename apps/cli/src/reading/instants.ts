/** An instant as people read it in a table, to the second, in UTC. */
export function shortInstant(instant: string | undefined): string {
  return instant === undefined ? '' : instant.replace('T', ' ').replace(/(\.\d+)?Z$/, 'Z');
}
