import { actorOf } from '@mayfly/audit';
import {
  type AnyProvider,
  type ConnectionSource,
  enumerable,
  type ProviderRegistry,
  reconcilable,
  sharedRevocation,
} from '@mayfly/credentials';
import type { Principal } from '@mayfly/identity';
import { type JsonObject, newId, type Page, type PageRequest, Problem, type ReconciliationId } from '@mayfly/kernel';
import { type Reconciliation, reconciliationView } from './reconciliation.js';
import type { ReconciliationRecords } from './reconciliation.store.js';

/** The parts that the use case works with. */
export interface ReconciliationsParts {
  readonly records: ReconciliationRecords;
  readonly connections: ConnectionSource;
  readonly providers: ProviderRegistry;
}

/** Requests and reads reconciliations, for operators and auditors. */
export class Reconciliations {
  constructor(private readonly parts: ReconciliationsParts) {}

  /**
   * Records a request that a worker carries out, and returns it. While one runs for the connection, returns that one.
   * Throws `not_found`, `conflict` for a disabled connection, and `invalid_request` when the provider of the connection
   * can list neither objects nor denials.
   */
  async request(caller: Principal, name: string): Promise<JsonObject> {
    const connection = this.parts.connections.find(name);
    if (connection === undefined) throw new Problem('not_found', `there is no connection \`${name}\``);
    const provider = this.parts.providers.find(connection.spec.provider);
    if (provider === undefined || !canBeCompared(provider)) throw this.cannotList(connection.spec.provider);
    if (connection.disabled === true)
      throw new Problem('conflict', `connection \`${name}\` is disabled; enable it, then ask again`);
    const request = { id: newId('rcn'), connection: name, actor: actorOf(caller) };
    return reconciliationView(await this.parts.records.request(request));
  }

  /** Returns one reconciliation. Throws `not_found`. */
  async find(id: ReconciliationId): Promise<JsonObject> {
    const found = await this.parts.records.find(id);
    if (found === undefined) throw new Problem('not_found', `there is no reconciliation \`${id}\``);
    return reconciliationView(found);
  }

  /** Returns a page, newest first. */
  list(
    filter: { connection?: string | undefined },
    page: PageRequest<ReconciliationId>,
  ): Promise<Page<Reconciliation, ReconciliationId>> {
    return this.parts.records.list(filter, page);
  }

  private cannotList(kind: string): Problem {
    const able = this.parts.providers.all.filter(canBeCompared).map((provider) => `\`${provider.kind}\``);
    const detail = `provider \`${kind}\` cannot list its objects; name a connection of ${able.join(' or ')}`;
    return new Problem('invalid_request', detail, { errors: [{ pointer: '/connection', detail }] });
  }
}

/** True for a provider that can list its objects or its denials. */
function canBeCompared(provider: AnyProvider): boolean {
  return (enumerable(provider) ?? reconcilable(provider) ?? sharedRevocation(provider)) !== undefined;
}
