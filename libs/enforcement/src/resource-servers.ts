import { resourceServersOf, type Connection, type ProviderRegistry } from '@mayfly/credentials';
import type { VerifiedIdentity } from '@mayfly/identity';

/** The declared connections. Each change brings a new array. */
export interface ConnectionList {
  readonly connections: readonly Connection[];
}

/** Index of resource servers by audience, from the connections of providers that mint tokens. */
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
  serves({ acceptedBy, subject }: Pick<VerifiedIdentity, 'acceptedBy' | 'subject'>, audience: string): boolean {
    const { connections } = this.declared;
    if (connections !== this.indexed) {
      this.index = new Set(connections.flatMap((connection) => this.keysOf(connection)));
      this.indexed = connections;
    }
    return acceptedBy.some((issuer) => this.index.has(keyOf(audience, issuer, subject)));
  }

  private keysOf({ spec }: Connection): string[] {
    const provider = this.providers.find(spec.provider);
    const servers = provider === undefined ? [] : resourceServersOf(provider, spec.config);
    return servers.map(({ audience, issuer, subject }) => keyOf(audience, issuer, subject));
  }
}

function keyOf(audience: string, issuer: string, subject: string): string {
  return JSON.stringify([audience, issuer, subject]);
}
