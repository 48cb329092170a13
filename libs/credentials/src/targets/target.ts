import type { Connection } from '../connection.js';
import type { AnyProvider, RelatedConnections } from '../provider.js';
import type { MintCheck } from '../registry.js';
import type { Json } from '@mayfly/kernel';

/** Declared connections. */
export interface ConnectionSource {
  find(name: string): Connection | undefined;
}

/** Other connections of a scope as they were declared: their secrets are references. */
export type DeclaredRelated = Readonly<Record<string, { readonly provider: string; readonly config: Json }>>;

/** A provider with the connection's configuration, secrets resolved. */
export interface Target {
  readonly provider: AnyProvider;
  /** the name of the connection, where it was found by name */
  readonly connection?: string;
  /** other connections that the scope works with, as they were declared and with their secrets */
  readonly declaredRelated?: DeclaredRelated;
  readonly related?: RelatedConnections;
  /** the configuration as it was declared: its secrets are references */
  readonly declared: Json;
  readonly config: unknown;
  /** judges what the provider mints */
  readonly check: MintCheck;
}
