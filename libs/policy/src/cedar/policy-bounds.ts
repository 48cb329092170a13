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
  const depth = new Depth();
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    depth.read(token);
    const detail = depth.exceeded;
    if (detail !== undefined) return { index, detail };
  }
  return undefined;
}

/** The depth of a policy at one place of its text. */
class Depth {
  /** the terms before each bracket that is open */
  private readonly open: number[] = [];
  private terms = 0;

  read(token: string): void {
    if (token.startsWith('"') || token.startsWith('//')) return;
    if ('([{'.includes(token)) this.open.push(this.terms++);
    // A call or a record goes on after its bracket, and so does the chain that it is a term of.
    else if (')]}'.includes(token)) this.terms = this.open.pop() ?? 0;
    else if (token === ',' || token === ';') this.terms = (this.open.at(-1) ?? -1) + 1;
    else this.terms += 1;
  }

  get exceeded(): string | undefined {
    if (this.open.length > MAX_NESTING) return `over ${String(MAX_NESTING)} levels of brackets; use several policies`;
    if (this.terms > MAX_DEPTH)
      return `over ${String(MAX_DEPTH)} terms in one chain; use \`[…].contains()\`, or several policies`;
    return undefined;
  }
}
