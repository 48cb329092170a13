import { Socket } from 'node:net';
import { connectionAddressFault, guardedLookup, resolveBySystem, type ResolveHost } from '@mayfly/egress';

/**
 * The socket under a connection to PostgreSQL: refuses metadata services and link-local addresses, as they are written and
 * as what a name resolves to at that moment. Fails with `EgressRefused`. Private addresses are where databases are.
 */
export function guardedSocket(resolve: ResolveHost = resolveBySystem): Socket {
  return new GuardedSocket(resolve);
}

class GuardedSocket extends Socket {
  constructor(private readonly resolve: ResolveHost) {
    super();
  }

  /** As `pg` calls it: with a port and a host, or with the path of a Unix socket. */
  override connect(...args: unknown[]): this {
    const [port, host] = args;
    if (typeof port !== 'number' || typeof host !== 'string') return super.connect(...(args as [string]));
    const fault = connectionAddressFault(host);
    if (fault !== undefined) return this.destroy(fault);
    return super.connect({ port, host, lookup: guardedLookup(connectionAddressFault, this.resolve) });
  }
}
