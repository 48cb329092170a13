import { audienceFor, type Connection, type ProviderRegistry } from '@mayfly/credentials';
import type { Principal } from '@mayfly/identity';
import { digestOf } from '@mayfly/kernel';
import { useAmounts } from '@mayfly/tasks';
import type { OperationAnswer } from '../operation.js';
import type { Operations } from '../operations.js';
import type { ConnectionList } from '../resource-servers.js';
import { readTarget } from './request-target.js';
import { RouteTable } from './route-table.js';

/** An HTTP request that a gateway holds until it is decided. */
export interface HeldRequest {
  /** the connection whose target the gateway passes the request to */
  readonly connection: string;
  /** the token of the agent */
  readonly token: string;
  readonly method: string;
  /** the request target as the gateway received it, byte for byte */
  readonly target: string;
  /** the gateway's own id of the request */
  readonly requestId?: string;
}

interface Door {
  /** the name of the target in decisions: the audience of its tokens, or the connection */
  readonly place: string;
  readonly routes: RouteTable;
}

/** The longest target of an operation. The path of a longer one is not recorded. */
const LONGEST_PLACE = 512;

/**
 * Decides HTTP requests for gateways that know nothing of Mayfly: the declared routes of a connection turn each into an
 * operation, which is decided as `POST /authorize` does. INVARIANT: I7, a request that no route names is denied.
 */
export class HttpDoor {
  private readonly doors = new WeakMap<Connection, Door>();

  constructor(
    private readonly declared: ConnectionList,
    private readonly providers: Pick<ProviderRegistry, 'find'>,
    private readonly operations: Pick<Operations, 'authorize' | 'refuse'>,
  ) {}

  /** Decides a request and takes one use of its task. Throws as `Operations.authorize` does. */
  async ask(
    caller: Principal,
    { connection, token, method, target, requestId }: HeldRequest,
  ): Promise<OperationAnswer> {
    const declared = this.declared.connections.find(({ name }) => name === connection);
    if (declared === undefined)
      return this.refuse(caller, token, connection, 'the gateway names no declared connection; ask its operator');
    const { place, routes } = this.doorOf(declared);
    const read = readTarget(method, target);
    if ('fault' in read) return this.refuse(caller, token, place, read.fault);
    const routed = routes.operationOf(read);
    const at = placeBelow(place, target);
    if ('fault' in routed) return this.refuse(caller, token, at, routed.fault);
    return this.operations.authorize(caller, {
      ...{ token, operation: routed.operation, target: at, amounts: useAmounts() },
      // The same id for another request is another use.
      ...(requestId === undefined ? {} : { requestId: digestOf([requestId, method, target]) }),
    });
  }

  private refuse(caller: Principal, token: string, target: string, detail: string): Promise<OperationAnswer> {
    return this.operations.refuse(caller, { token, operation: 'unrouted', target, amounts: useAmounts() }, detail);
  }

  private doorOf(connection: Connection): Door {
    const { name, spec } = connection;
    const provider = this.providers.find(spec.provider);
    const place = provider === undefined ? undefined : audienceFor(provider, spec.config);
    const door = this.doors.get(connection) ?? { place: place ?? name, routes: new RouteTable(spec.routes ?? []) };
    this.doors.set(connection, door);
    return door;
  }
}

/** Adds the path without its query, which may hold what is personal. */
function placeBelow(place: string, target: string): string {
  const [path = ''] = target.split('?', 1);
  const below = `${place.endsWith('/') ? place.slice(0, -1) : place}${path}`;
  return below.length > LONGEST_PLACE ? place : below;
}
