import { Socket } from 'node:net';
import { connectionAddressFault, guardedLookup, resolveBySystem, type ResolveHost } from '@mayfly/egress';

/**
 * Returns the socket for a connection to PostgreSQL. It refuses metadata services and link-local addresses, both as
 * written and as a name resolves at that moment, and fails with `EgressRefused`. It allows private addresses, where
 * databases usually are.
 */
export function guardedSocket(resolve: ResolveHost = resolveBySystem): Socket {
  return new GuardedSocket(resolve);
}

class GuardedSocket extends Socket {
  constructor(private readonly resolve: ResolveHost) {
    super();
  }

  /** `pg` calls this with a port and a host, or with the path of a Unix socket. */
  override connect(...args: unknown[]): this {
    const [port, host] = args;
    if (typeof port !== 'number' || typeof host !== 'string') return super.connect(...(args as [string]));
    const fault = connectionAddressFault(host);
    if (fault !== undefined) return this.destroy(fault);
    return super.connect({ port, host, lookup: guardedLookup(connectionAddressFault, this.resolve) });
  }
}
