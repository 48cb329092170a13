/** A word that says something and names nothing: letters, with the punctuation of a sentence. */
const WORD = /^[([]?[A-Za-z][A-Za-z'-]*[)\]]?[.,:;]?$/;
const SQL_STATE = /^[0-9A-Z]{5}\)?[.,:;]?$/;
/** What comes after one of these is a name, however plain it looks. */
const NAMING =
  /^[([]?(user|username|role|database|db|host|hostname|lookup|addr|address|dial|server|schema|table|password)[.,:;]?$/i;
/** And after `connect to`, `connection at`; but `failed to` says what failed. */
const PLACING = /^(to|at)$/i;

const MAX_CHARACTERS = 200;

/**
 * A server's own words with everything taken out that could be an address, a name, a number or a secret: errors of
 * database engines quote their driver, which names the database user and the host. What is left is for an operator to
 * recognise the failure by.
 */
export function redact(text: string): string {
  const quotes = text
    .replace(/"[^"]*"|`[^`]*`|'[^']*'/g, '…')
    .replace(/\s+/g, ' ')
    .trim();
  const words: string[] = [];
  let named = false;
  let before = '';
  for (const word of quotes.slice(0, 2000).split(' ')) {
    const isPlain =
      (!named || /SQLSTATE$/.test(word)) &&
      (WORD.test(word) || (SQL_STATE.test(word) && /SQLSTATE$/i.test(words.at(-1) ?? '')));
    if (isPlain) words.push(word);
    else if (words.at(-1) !== '…') words.push('…');
    named = NAMING.test(word) || (PLACING.test(word) && /^connect/i.test(before));
    before = word;
  }
  const short = words.join(' ');
  return short.length > MAX_CHARACTERS ? `${short.slice(0, MAX_CHARACTERS)}…` : short;
}
