import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';

/** No answer came, or half of one: whether the request was carried out is not known. */
export class BrokerUnreachable extends CommandFailure {
  constructor(url: string, reason: string) {
    super(
      EXIT.unavailable,
      `the broker at ${url} does not answer (${reason})`,
      'is MAYFLY_URL right, and is it running?',
    );
    this.name = 'BrokerUnreachable';
  }
}
