import { SERVER_WORDS } from './server-words.data.js';

/** A word with the punctuation of a sentence around it; compounds have hyphens. */
const WORD = /^[([]?([A-Za-z][A-Za-z'-]*)[)\]]?[.,:;]?$/;
const SQL_STATE = /^[0-9A-Z]{5}\)?[.,:;]?$/;
/** Words that a name follows, however plain the name looks. */
const NAMING =
  /^[([]?(user|username|role|database|db|host|hostname|lookup|addr|address|dial|server|schema|table|password)[.,:;]?$/i;
/** Prepositions that a name follows after `connect` or `connection`, but not in `failed to`. */
const PLACING = /^(to|at)$/i;

const MAX_CHARACTERS = 200;

/**
 * Returns a server's own words without anything that could be an address, a name, a number or a secret: errors of
 * database engines quote their driver, which names the database user and the host. Only words that such errors are
 * known to be made of remain, because a secret of letters looks like a word. They let an operator recognise the
 * failure.
 */
export function redact(text: string): string {
  const unquoted = text.replace(/"[^"]*"|`[^`]*`|'[^']*'/g, '…').replace(/\s+/g, ' ');
  const words = unquoted.trim().slice(0, 2000).split(' ');
  const told = words.map((word, index) => (isPlain(word, words[index - 1] ?? '', words[index - 2] ?? '') ? word : '…'));
  const short = told.filter((word, index) => word !== '…' || told[index - 1] !== '…').join(' ');
  return short.length > MAX_CHARACTERS ? `${short.slice(0, MAX_CHARACTERS)}…` : short;
}

function isPlain(word: string, before: string, earlier: string): boolean {
  if (word.endsWith('SQLSTATE')) return /^\W?SQLSTATE$/.test(word);
  if (/^\W?SQLSTATE$/.test(before)) return SQL_STATE.test(word);
  const isName = NAMING.test(before) || (PLACING.test(before) && /^connect/i.test(earlier));
  return !isName && isKnown(word);
}

function isKnown(word: string): boolean {
  const [, bare] = WORD.exec(word) ?? [];
  return bare?.split('-').every((part) => SERVER_WORDS.has(part.toLowerCase())) === true;
}
