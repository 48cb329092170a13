import { BrokerProblem, BrokerUnreachable, UnexpectedAnswer } from '@mayfly/client';
import { UnusableCredential } from '@mayfly/sdk';
import { refusalOf } from './broker/broker-refusal.js';
import { CommandFailure, usageFailure } from './command-failure.js';
import { EXIT } from './exit-codes.js';

/** Converts any error to a `CommandFailure` with a text for people. */
export function failureOf(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (error instanceof BrokerProblem) return refusalOf(error);
  if (error instanceof BrokerUnreachable) {
    return new CommandFailure(
      EXIT.unavailable,
      error.message,
      'compare MAYFLY_URL with the address of the broker, and check that it is running',
    );
  }
  if (error instanceof UnexpectedAnswer) {
    const help = 'set MAYFLY_URL to the address of a broker of this version';
    return new CommandFailure(EXIT.unavailable, error.message, help);
  }
  if (error instanceof UnusableCredential) {
    const help = error.reason === 'ambiguous' ? 'name the credential with --credential NAME' : error.help;
    return usageFailure(error.message, help);
  }
  return new CommandFailure(EXIT.no, error instanceof Error ? error.message : String(error));
}
