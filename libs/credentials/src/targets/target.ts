import type { Connection } from '../connection.js';
import type { AnyProvider, RelatedConnections } from '../provider.js';
import type { MintCheck } from '../registry.js';
import type { Json } from '@mayfly/kernel';

/** Port: the declared connections. */
export interface ConnectionSource {
  /** Returns the connection in force with this name, or undefined. */
  find(name: string): Connection | undefined;
}

/** The declared configurations of a scope's other connections; their secrets are references. */
export type DeclaredRelated = Readonly<Record<string, { readonly provider: string; readonly config: Json }>>;

/** A provider with the connection's configuration, secrets resolved. */
export interface Target {
  readonly provider: AnyProvider;
  /** the name of the connection, when it was found by name */
  readonly connection?: string;
  /** the other connections that the scope uses: `declaredRelated` with references, `related` with secrets */
  readonly declaredRelated?: DeclaredRelated;
  readonly related?: RelatedConnections;
  /** the declared configuration; its secrets are references */
  readonly declared: Json;
  readonly config: unknown;
  /** checks the provider's mints */
  readonly check: MintCheck;
}
