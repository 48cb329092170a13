const FARTHEST = 2;
const LONGEST = 64;

/**
 * Returns the candidate closest to a mistyped word, at most two letters away (case counts); undefined when none is that
 * close.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: distanceBetween(word.slice(0, LONGEST), candidate) }))
    .filter(({ candidate, distance }) => distance <= FARTHEST && distance < candidate.length)
    .sort((left, right) => left.distance - right.distance);
  return ranked[0]?.candidate;
}

/** Returns the Levenshtein distance: the number of letters to change, add or remove. */
function distanceBetween(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [at, letter] of left.split('').entries()) {
    const next = [at + 1];
    for (const [index, other] of right.split('').entries()) {
      const change = (row[index] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
