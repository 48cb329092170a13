import type { Catalog } from '@mayfly/declarations';
import { probeable, type ProbeCheck, type ProbeReport, type Targets, withDeadline } from '@mayfly/credentials';
import { type JsonObject, Problem } from '@mayfly/kernel';
import type {
  ConnectionLifecycleStore,
  ConnectionState,
  DeclaredRecord,
  PgDeclarationStore,
} from '@mayfly/persistence';
import { declarerOf, type Principal } from '../security/principal.js';

const TEST_SECONDS = 20;

export interface ConnectionsParts {
  readonly declarations: Pick<PgDeclarationStore, 'find'>;
  readonly lifecycle: ConnectionLifecycleStore;
  readonly targets: Pick<Targets, 'restore'>;
  readonly catalog: Pick<Catalog, 'refresh'>;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/** Tests, disables and enables connections. */
export class ConnectionsService {
  constructor(private readonly parts: ConnectionsParts) {}

  /** Enables or disables a connection; revocations continue either way. Throws `not_found`. */
  async move(name: string, to: ConnectionState, caller: Principal): Promise<DeclaredRecord> {
    const record = await this.parts.lifecycle.move(name, to, declarerOf(caller));
    await this.parts.catalog.refresh().catch(this.parts.report);
    return record;
  }

  /** Tests a connection with the least harm; returns one outcome per check. Throws `not_found`. */
  async test(name: string, caller: Principal): Promise<JsonObject> {
    const { spec } = await this.parts.declarations.find('Connection', name);
    const { provider: kind, config } = spec as { readonly provider: string; readonly config: JsonObject };
    const { checks, clockOffsetSeconds, loginAgeSeconds } = await this.probe(kind, config);
    const wrong = checks.filter(({ outcome }) => outcome === 'missing' || outcome === 'failed');
    const facts = { ok: wrong.length === 0, wrong: wrong.map((check) => check.name) };
    await this.parts.lifecycle.tested(name, declarerOf(caller), facts);
    return {
      connection: name,
      ok: wrong.length === 0,
      checks: checks.map((check) => ({ ...check })),
      clockOffsetSeconds,
      loginAgeSeconds,
    };
  }

  private async probe(kind: string, declared: JsonObject): Promise<ProbeReport> {
    try {
      const { provider, config } = await this.parts.targets.restore(kind, declared);
      const tried = probeable(provider);
      if (tried === undefined) return { checks: [{ name: 'nothing to reach', outcome: 'ok' }] };
      return await withDeadline(TEST_SECONDS, (signal) => tried.probe(config, signal));
    } catch (error) {
      return { checks: [failedCheck(error)] };
    }
  }
}

function failedCheck(error: unknown): ProbeCheck {
  const isConfiguration = error instanceof Problem && error.code === 'provider_rejected';
  const detail = error instanceof Problem ? error.detail : 'the provider failed in an unexpected way';
  return {
    name: isConfiguration ? 'read the configuration and its secrets' : 'answer in time',
    outcome: 'failed',
    detail,
  };
}
