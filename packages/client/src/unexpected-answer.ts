/** Something answered, and the answer is not what a broker of this version gives. Names a place, never a value. */
export class UnexpectedAnswer extends Error {
  constructor(place = '') {
    super(`the answer is not what a broker gives${place === '' ? '' : ` at \`${place}\``}`);
    this.name = 'UnexpectedAnswer';
  }
}
