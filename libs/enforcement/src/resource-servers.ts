import { resourceServersOf, type Connection, type ProviderRegistry } from '@mayfly/credentials';
import type { VerifiedIdentity } from '@mayfly/identity';

/** The declared connections. Each change brings a new array. */
export interface ConnectionList {
  readonly connections: readonly Connection[];
}

/** A proven workload, as a caller of introspection or of `POST /authorize`. */
export type AskingIdentity = Pick<VerifiedIdentity, 'acceptedBy' | 'subject'>;

/**
 * Index of the workloads that may ask about credentials: resource servers by audience, from the connections of providers
 * that mint tokens, and gateways by connection.
 */
export class ResourceServers {
  private indexed: readonly Connection[] | undefined;
  private index: ReadonlySet<string> = new Set();

  constructor(
    private readonly declared: ConnectionList,
    private readonly providers: Pick<ProviderRegistry, 'find'>,
  ) {}

  /**
   * True when this identity may introspect tokens of this audience. The subject must match exactly, and so must the
   * Issuer document that accepted the token.
   */
  serves(identity: AskingIdentity, audience: string): boolean {
    return this.has('audience', audience, identity);
  }

  /** True when this identity is a gateway of the connection. Matches as `serves` does. */
  guards(identity: AskingIdentity, connection: string): boolean {
    return this.has('connection', connection, identity);
  }

  private has(kind: Place, name: string, { acceptedBy, subject }: AskingIdentity): boolean {
    const { connections } = this.declared;
    if (connections !== this.indexed) {
      this.index = new Set(connections.flatMap((connection) => this.keysOf(connection)));
      this.indexed = connections;
    }
    return acceptedBy.some((issuer) => this.index.has(keyOf(kind, name, issuer, subject)));
  }

  private keysOf({ name, spec }: Connection): string[] {
    const provider = this.providers.find(spec.provider);
    const servers = provider === undefined ? [] : resourceServersOf(provider, spec.config);
    return [
      ...servers.map(({ audience, issuer, subject }) => keyOf('audience', audience, issuer, subject)),
      ...(spec.gateways ?? []).map(({ issuer, subject }) => keyOf('connection', name, issuer, subject)),
    ];
  }
}

type Place = 'audience' | 'connection';

function keyOf(kind: Place, name: string, issuer: string, subject: string): string {
  return JSON.stringify([kind, name, issuer, subject]);
}
