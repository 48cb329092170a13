import { EXIT } from './exit-codes.js';

/** Why a command leaves without having done its work: one sentence, what would help, and the exit status. */
export class CommandFailure extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
    readonly help?: string,
  ) {
    super(message);
    this.name = 'CommandFailure';
  }
}

/** Something that the caller wrote is wrong. */
export function usageFailure(message: string, help?: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message, help);
}
