/** Why tools cannot be given a credential: which of several is not said, a name is taken, or a value would end a line early. */
export type UnusableReason = 'ambiguous' | 'name_taken' | 'not_plain';

/** A task has credentials that cannot be handed to tools as they are. Holds no value of a secret. */
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
