/** The answer does not match a broker of this version. The message names a member's path, never its value. */
export class UnexpectedAnswer extends Error {
  constructor(place = '') {
    super(`the answer is not what a broker gives${place === '' ? '' : ` at \`${place}\``}`);
    this.name = 'UnexpectedAnswer';
  }
}
