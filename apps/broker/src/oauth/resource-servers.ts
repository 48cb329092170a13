import type { Connection } from '@mayfly/credentials';
import type { VerifiedIdentity } from '@mayfly/identity';
import { SignedTokenConnectionSchema } from '@mayfly/provider-signed-token';

/** Declared connections; the array is another one after each change. */
export interface ConnectionList {
  readonly connections: readonly Connection[];
}

/** Which workloads are resource servers of which audience, as the connections of provider `signed-token` declare it. */
export class ResourceServers {
  private indexed: readonly Connection[] | undefined;
  private index: ReadonlySet<string> = new Set();

  constructor(private readonly declared: ConnectionList) {}

  /**
   * Whether this identity may introspect the tokens of this audience. Exact subject, and exactly a document of the issuer
   * that accepted the token; nothing is guessed.
   */
  serves({ acceptedBy, subject }: Pick<VerifiedIdentity, 'acceptedBy' | 'subject'>, audience: string): boolean {
    const { connections } = this.declared;
    if (connections !== this.indexed) {
      this.index = new Set(connections.flatMap(keysOf));
      this.indexed = connections;
    }
    return acceptedBy.some((issuer) => this.index.has(keyOf(audience, issuer, subject)));
  }
}

function keysOf({ spec }: Connection): string[] {
  if (spec.provider !== 'signed-token') return [];
  const config = SignedTokenConnectionSchema.safeParse(spec.config);
  if (!config.success) return [];
  const { audience, resourceServers } = config.data;
  return resourceServers.map(({ issuer, subject }) => keyOf(audience, issuer, subject));
}

function keyOf(audience: string, issuer: string, subject: string): string {
  return JSON.stringify([audience, issuer, subject]);
}
