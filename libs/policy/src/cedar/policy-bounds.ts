/** The most policies in the set that decides on one template. Cedar's cost is linear in them. */
export const MAX_POLICIES = 100;
/** The longest text of one policy. */
export const MAX_TEXT_BYTES = 65_536;
/** The most levels of brackets. Cedar's parser traps at 73 levels of some kinds, and never says that it is too deep. */
const MAX_NESTING = 32;
/** The most terms of chains and levels of brackets that are open at one place. Cedar traps at 176 of some kinds. */
const MAX_DEPTH = 100;

/** Strings and comments, which count for nothing, then the words and signs that make the tree of a policy deeper. */
const TOKENS =
  /"(?:[^"\\]|\\[^])*"?|\/\/[^\n]*|\b(?:when|unless|if|has|is|in|like)\b|&&|\|\||[-+*.!<>=]=?|[([{]|[)\]}]|[,;]/gu;

/** A place in a text, in UTF-16 units, where it exceeds a bound. */
export interface ExceededBound {
  readonly index: number;
  readonly detail: string;
}

/**
 * Returns where a policy is too long or too deep for Cedar, or undefined. Runs before Cedar sees the text, because a
 * text that is too deep does not fail: it breaks the instance. Counts more than Cedar does, never less: a chain without
 * brackets counts its terms, and what is inside brackets counts on from there.
 */
export function findExceeded(text: string): ExceededBound | undefined {
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES)
    return { index: 0, detail: `over ${String(MAX_TEXT_BYTES)} bytes; use several policies` };
  const open: number[] = [];
  let terms = 0;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token.startsWith('"') || token.startsWith('//')) continue;
    if ('([{'.includes(token)) {
      open.push(terms);
      terms += 1;
    } else if (')]}'.includes(token)) {
      // A call or a record goes on after its bracket, so what it is a term of goes on too.
      terms = Math.max(open.pop() ?? 0, 0);
    } else if (token === ',' || token === ';') {
      terms = (open.at(-1) ?? -1) + 1;
    } else {
      terms += 1;
    }
    if (open.length > MAX_NESTING)
      return { index, detail: `over ${String(MAX_NESTING)} levels of brackets; use several policies` };
    if (terms > MAX_DEPTH)
      return {
        ...{ index },
        detail: `over ${String(MAX_DEPTH)} terms in one chain; use \`[…].contains()\`, or several policies`,
      };
  }
  return undefined;
}
