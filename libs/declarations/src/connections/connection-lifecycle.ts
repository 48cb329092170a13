import { auditEntry, type AuditEntry, type AuditEntryType, type EntrySink } from '@mayfly/audit';
import {
  probeable,
  type ProbeCheck,
  type ProbeReport,
  type TargetClocks,
  type Targets,
  withDeadline,
} from '@mayfly/credentials';
import { Problem, type Clock, type JsonObject, HEADER_SECONDS } from '@mayfly/kernel';
import type { Catalog } from '../catalog.js';
import type { RecordReader } from '../declaration.store.js';
import type { ChangeRequests } from '../changes/change-requests.js';
import type { RequestedChange } from '../changes/document-change.js';
import { existing, type ConnectionState, type DeclaredRecord, type Declarer } from '../records/declared-record.js';
import { refuseForeign } from '../records/ownership.js';

const TEST_SECONDS = 20;

const ENTRIES: Readonly<Record<ConnectionState, AuditEntryType & `connection.${string}abled`>> = {
  enabled: 'connection.enabled',
  disabled: 'connection.disabled',
};

/** A change of a connection's state. */
export interface ConnectionMove {
  readonly to: ConnectionState;
  readonly by: Declarer;
  readonly entry: AuditEntry;
}

/** The locked row of a connection: while `work` runs, no request and no other change can use it. */
export interface LockedConnection {
  /** undefined when no connection has the name */
  readonly record: DeclaredRecord | undefined;
  /** Stores the state and its audit entry, and returns the connection as it is now. */
  move(move: ConnectionMove): Promise<DeclaredRecord | undefined>;
}

/** Port: the rows of connections, and the audit of their tests. */
export interface ConnectionLifecycleStore extends EntrySink {
  /**
   * Runs `work` in one transaction under the lock of the connection's row, which requests that are being granted hold
   * too. Commits when `work` resolves. Throws `unavailable`, and the errors of `work`.
   */
  underLock<T>(name: string, work: (connection: LockedConnection) => Promise<T>): Promise<T>;
}

/** The result of a test of a connection. */
export interface ConnectionTest {
  readonly ok: boolean;
  readonly checks: readonly ProbeCheck[];
  readonly clockOffsetSeconds?: number | undefined;
  readonly loginAgeSeconds?: number | undefined;
}

/** The parts that the use case works with. */
export interface ConnectionLifecycleParts {
  readonly store: ConnectionLifecycleStore;
  readonly records: Pick<RecordReader, 'find'>;
  readonly targets: Pick<Targets, 'restore'>;
  readonly catalog: Pick<Catalog, 'refresh'>;
  readonly clock: Clock;
  readonly clocks: Pick<TargetClocks, 'check' | 'note'>;
  /** true: a platform person acts only on connections of its own groups; operators act on all */
  readonly ownership?: boolean;
  /** when present, two persons enable a connection */
  readonly requests?: Pick<ChangeRequests, 'step'>;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/** Tests, disables and enables connections. Does not touch their declarations or their leases. */
export class ConnectionLifecycle {
  constructor(private readonly parts: ConnectionLifecycleParts) {}

  /**
   * Enables or disables a connection; revocations continue either way, and nothing happens when the state is already
   * set. Once this resolves with `disabled`, the connection grants no more tasks. Asks for a second person where two
   * must agree to enable it. Throws `not_found`, and `policy_denied` (`ownership`).
   */
  async move(name: string, to: ConnectionState, by: Declarer): Promise<DeclaredRecord | RequestedChange> {
    const { ownership = false, requests } = this.parts;
    const record = await this.parts.store.underLock(name, async (connection) => {
      const before = existing(connection.record, 'Connection', name);
      if (ownership) refuseForeign(by, [before], ['operator']);
      if (before.connection?.state === to) return before;
      if (to === 'enabled' && requests !== undefined) return undefined;
      const entry = auditEntry(ENTRIES[to], this.parts.clock.now(), by.actor, {}, { name });
      return existing(await connection.move({ to, by, entry }), 'Connection', name);
    });
    if (record === undefined && requests !== undefined)
      return requests.step({ operation: 'enable', kind: 'Connection', name }, by, isDisabled);
    await this.parts.catalog.refresh().catch(this.parts.report);
    return existing(record, 'Connection', name);
  }

  /** Tests a connection with the least harm; returns one outcome per check. Throws `not_found`. */
  async test(name: string, by: Declarer): Promise<ConnectionTest> {
    const { store, records, clock } = this.parts;
    const { spec } = existing(await records.find('Connection', name), 'Connection', name);
    const { provider: kind, config } = spec as { readonly provider: string; readonly config: JsonObject };
    const { checks: probed, clockOffsetSeconds, loginAgeSeconds } = await this.probe(kind, config);
    const checks = [...probed, ...this.clockChecks(name, clockOffsetSeconds)];
    const wrong = checks.filter(({ outcome }) => outcome === 'missing' || outcome === 'failed');
    const facts = { name, ok: wrong.length === 0, wrong: wrong.map((check) => check.name) };
    await store.record([auditEntry('connection.tested', clock.now(), by.actor, {}, facts)]);
    return { ok: wrong.length === 0, checks, clockOffsetSeconds, loginAgeSeconds };
  }

  /** Compares the clocks, and keeps the reading: a clock that was corrected is granted at once again. */
  private clockChecks(name: string, offsetSeconds: number | undefined): readonly ProbeCheck[] {
    if (offsetSeconds === undefined) return [];
    const { clock, clocks } = this.parts;
    const reading = { offsetSeconds, uncertaintySeconds: HEADER_SECONDS, at: clock.now() };
    clocks.note(name, reading);
    return [clocks.check(reading)];
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

function isDisabled({ connection }: DeclaredRecord): boolean {
  return connection?.state === 'disabled';
}

function failedCheck(error: unknown): ProbeCheck {
  const isConfiguration = error instanceof Problem && error.code === 'provider_rejected';
  const detail = error instanceof Problem ? error.detail : 'the provider failed unexpectedly; try again later';
  return {
    name: isConfiguration ? 'read the configuration and its secrets' : 'answer in time',
    outcome: 'failed',
    detail,
  };
}
