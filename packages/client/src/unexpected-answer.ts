/** The answer does not match a broker of this version. The message names a member's path, never its value. */
export class UnexpectedAnswer extends Error {
  constructor(place = '') {
    super(`the answer does not have the form of an answer of a broker${place === '' ? '' : ` at \`${place}\``}`);
    this.name = 'UnexpectedAnswer';
  }
}
