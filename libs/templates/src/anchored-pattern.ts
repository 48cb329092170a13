import type { RegExpEngine } from 'ajv/dist/types/index.js';
import { RE2JS } from 're2js';

/** A longer text matches no author's pattern, so that a match costs little. */
export const MAX_MATCHED_LENGTH = 256;
const MAX_PATTERN_LENGTH = 512;

/** Returns the fault of an author's pattern, or undefined. A pattern must be RE2 syntax and have the form `^…$`. */
export function findPatternFault(pattern: string): string | undefined {
  if (pattern.length > MAX_PATTERN_LENGTH) return `use at most ${String(MAX_PATTERN_LENGTH)} characters`;
  if (!pattern.startsWith('^') || !pattern.endsWith('$')) return 'anchor the pattern with `^` and `$`';
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch {
    return 'use RE2 syntax: no look-around, no back-references, repeats up to 1000 in all';
  }
}

/**
 * The regular expression engine for authors' patterns in ajv: RE2, so time is linear in the text. A pattern must match
 * the whole text, whatever its anchors (`^a|b$`, `(?m)`, a final newline), and never matches a text over 256
 * characters.
 */
export const anchoredPatterns: RegExpEngine = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(pattern);
    return {
      test: (text: string) => text.length <= MAX_MATCHED_LENGTH && compiled.testExact(text),
      // ajv caches one engine object per pattern under this key
      toString: () => `re2:${pattern}`,
    };
  },
  { code: 're2' },
);
