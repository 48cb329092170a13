/**
 * Whether the text is an absolute http(s) URL with a host and no user, query, fragment, white space or backslash.
 * The scheme must be written in lower case: what is stored is compared character by character.
 */
export function isPlainUrl(text: string): boolean {
  if (!/^https?:\/\/[^\s\\?#@]+$/.test(text)) return false;
  return URL.canParse(text);
}
