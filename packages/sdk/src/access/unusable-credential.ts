/** Why tools cannot get a credential: several match, a variable name is taken, or a value has a control character. */
export type UnusableReason = 'ambiguous' | 'name_taken' | 'not_plain';

/** A credential that tools cannot get as it is. The error holds no value of a secret. */
export class UnusableCredential extends Error {
  constructor(
    readonly reason: UnusableReason,
    message: string,
    readonly help: string,
  ) {
    super(message);
    this.name = 'UnusableCredential';
  }
}
