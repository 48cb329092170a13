import { EXIT } from './exit-codes.js';

/** A command's failure: one sentence, an optional sentence of help, and the exit code. */
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

/** Builds the failure for a wrong command line, setting or file. */
export function usageFailure(message: string, help?: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message, help);
}
