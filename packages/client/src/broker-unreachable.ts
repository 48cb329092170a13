/** No answer came, or half of one: whether the request was carried out is not known. */
export class BrokerUnreachable extends Error {
  constructor(
    readonly url: string,
    readonly reason: string,
  ) {
    super(`the broker at ${url} does not answer (${reason})`);
    this.name = 'BrokerUnreachable';
  }
}
