/** The broker gave no complete answer. It may or may not have carried out the request. */
export class BrokerUnreachable extends Error {
  constructor(
    readonly url: string,
    readonly reason: string,
  ) {
    super(`the broker at ${url} does not answer (${reason})`);
    this.name = 'BrokerUnreachable';
  }
}
