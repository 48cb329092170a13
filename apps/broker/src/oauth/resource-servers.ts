import { resourceServersOf, type Connection, type ProviderRegistry } from '@mayfly/credentials';
import type { VerifiedIdentity } from '@mayfly/identity';

/** Declared connections; the array is another one after each change. */
export interface ConnectionList {
  readonly connections: readonly Connection[];
}

/** Which workloads are resource servers of which audience, as connections declare it whose provider mints tokens. */
export class ResourceServers {
  private indexed: readonly Connection[] | undefined;
  private index: ReadonlySet<string> = new Set();

  constructor(
    private readonly declared: ConnectionList,
    private readonly providers: Pick<ProviderRegistry, 'find'>,
  ) {}

  /**
   * Whether this identity may introspect the tokens of this audience. Exact subject, and exactly a document of the issuer
   * that accepted the token; nothing is guessed.
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
