/**
 * True for an absolute http(s) URL with a host and without user, query, fragment, white space or backslash. The scheme
 * must be in lower case, because stored URLs are compared character by character.
 */
export function isPlainUrl(text: string): boolean {
  if (!/^https?:\/\/[^\s\\?#@]+$/.test(text)) return false;
  return URL.canParse(text);
}
