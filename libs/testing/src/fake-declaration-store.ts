import type { AuditEntry } from '@mayfly/audit';
import {
  stateAt,
  type ChangeClosing,
  type ChangeReader,
  type Declaration,
  type DeclarationStore,
  type DeclaredRecord,
  type DocumentChange,
  type EditedDraft,
  type LiveLeases,
  type LockedState,
  type NewVersion,
  type PublishedVersion,
  type RecordKind,
  type RecordMove,
  type RecordReader,
  type RecordWrite,
  type TemplateReader,
  type TemplateRecord,
  type VersionWrite,
} from '@mayfly/declarations';
import type { ChangeId, Clock, Json, Page } from '@mayfly/kernel';
import { TestClock } from './test-clock.js';

interface Rows {
  readonly records: Map<string, DeclaredRecord>;
  readonly templates: Map<string, TemplateRecord>;
  readonly versions: Map<string, PublishedVersion[]>;
  readonly entries: AuditEntry[];
  readonly changes: Map<string, DocumentChange>;
}

/** Declared state in memory. A change that fails leaves nothing behind, and changes run one after the other. */
export class FakeDeclarationStore implements DeclarationStore {
  /** the leases that live */
  readonly leases: { readonly connection?: string; readonly provider: string; readonly scope: Json }[] = [];
  readonly records: RecordReader = {
    find: (kind, name) => this.read().record(kind, name),
    list: (kind, { limit, after = '' }) => {
      const rows = [...this.rows.records.values()].filter((row) => row.kind === kind && row.name > after);
      return Promise.resolve(pageOf(rows.sort(byName), limit, ({ name }) => name));
    },
    state: () => this.read().declared(),
  };
  readonly templates: TemplateReader = {
    find: (name) => this.read().template(name),
    list: ({ limit, after = '' }) => {
      const rows = [...this.rows.templates.values()].filter(({ name }) => name > after);
      return Promise.resolve(pageOf(rows.sort(byName), limit, ({ name }) => name));
    },
    version: (name, version) => this.read().version(name, version),
    versions: (name, { limit, after = Infinity }) => {
      const rows = (this.rows.versions.get(name) ?? []).filter(({ version }) => version < after);
      return Promise.resolve(pageOf(rows.toReversed(), limit, ({ version }) => version));
    },
  };
  readonly changes: ChangeReader = {
    find: (id) => this.read().change(id),
    list: ({ now, ...filter }, { limit, after }) => {
      const rows = [...this.rows.changes.values()].filter(
        (change) =>
          (after === undefined || change.id < after) &&
          (filter.state === undefined || filter.state === stateAt(change, now)) &&
          (filter.kind === undefined || filter.kind === change.kind) &&
          (filter.name === undefined || filter.name === change.name),
      );
      return Promise.resolve(pageOf(rows.sort(newestFirst), limit, ({ id }) => id));
    },
    lapsed: async (now, limit) =>
      (await this.read().openChanges())
        .filter(({ lapsesAt }) => lapsesAt <= now)
        .slice(0, limit)
        .map(({ id }) => id),
  };
  private rows: Rows = {
    records: new Map(),
    templates: new Map(),
    versions: new Map(),
    entries: [],
    changes: new Map(),
  };
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly clock: Clock = new TestClock()) {}

  get entries(): readonly AuditEntry[] {
    return this.rows.entries;
  }

  underLock<T>(work: (state: LockedState) => Promise<T>): Promise<T> {
    const change = this.last.then(async () => {
      const rows = copyOf(this.rows);
      const result = await work(new FakeLockedState(rows, this.leases, this.clock));
      this.rows = rows;
      return result;
    });
    this.last = change.catch(() => undefined);
    return change;
  }

  record(entries: readonly AuditEntry[]): Promise<void> {
    this.rows.entries.push(...entries);
    return Promise.resolve();
  }

  private read(): FakeLockedState {
    return new FakeLockedState(this.rows, this.leases, this.clock);
  }
}

class FakeLockedState implements LockedState {
  constructor(
    private readonly rows: Rows,
    private readonly leases: FakeDeclarationStore['leases'],
    private readonly clock: Clock,
  ) {}

  record(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined> {
    return Promise.resolve(this.rows.records.get(`${kind}/${name}`));
  }

  declared(): ReturnType<LockedState['declared']> {
    const inForce = [...this.rows.templates.values()].flatMap(({ name, state, currentVersion }) =>
      state === 'published' ? this.versionsOf(name).filter(({ version }) => version === currentVersion) : [],
    );
    const documents = [...this.rows.records.values(), ...inForce.map((row) => ({ kind: 'TaskTemplate', ...row }))];
    const retired = [...this.rows.templates.values()].filter(({ state }) => state === 'retired');
    return Promise.resolve({
      declarations: documents.map(
        ({ kind, name, labels, spec }) => ({ kind, metadata: { name, labels }, spec }) as unknown as Declaration,
      ),
      retiredTemplates: new Set(retired.map(({ name }) => name)),
    });
  }

  liveLeases(connection: string): Promise<LiveLeases> {
    const others = this.leases.filter((lease) => lease.connection !== connection);
    const named = JSON.stringify(connection);
    return Promise.resolve({
      own: this.leases.length - others.length,
      naming: others.filter(({ scope }) => JSON.stringify(scope).includes(named)),
    });
  }

  template(name: string): Promise<TemplateRecord | undefined> {
    return Promise.resolve(this.rows.templates.get(name));
  }

  version(name: string, version: number): Promise<PublishedVersion | undefined> {
    return Promise.resolve(this.versionsOf(name).find((row) => row.version === version));
  }

  nextVersion(name: string): Promise<number> {
    return Promise.resolve((this.versionsOf(name).at(-1)?.version ?? 0) + 1);
  }

  write(writes: readonly (RecordWrite | VersionWrite)[], entries: readonly AuditEntry[]): Promise<void> {
    for (const write of writes) {
      if (write.kind === 'TaskTemplate') this.insertVersion(write);
      else this.upsert(write);
    }
    return this.note(...entries);
  }

  remove(kind: RecordKind, name: string, entry: AuditEntry): Promise<void> {
    this.rows.records.delete(`${kind}/${name}`);
    return this.note(entry);
  }

  saveDraft(name: string, draft: EditedDraft, entry: AuditEntry): Promise<void> {
    const before = this.rows.templates.get(name);
    const first = { ...this.newTemplate(name), labels: draft.labels };
    this.rows.templates.set(name, before === undefined ? { ...first, draft } : this.changed({ ...before, draft }));
    return this.note(entry);
  }

  publishDraft(version: NewVersion, entry: AuditEntry): Promise<void> {
    const { draft: _published, ...template } = this.insertVersion(version);
    this.rows.templates.set(template.name, template);
    return this.note(entry);
  }

  retireTemplate(name: string, entry: AuditEntry): Promise<void> {
    const template = this.rows.templates.get(name);
    if (template !== undefined) this.rows.templates.set(name, this.changed({ ...template, state: 'retired' }));
    return this.note(entry);
  }

  lockRecord(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined> {
    return this.record(kind, name);
  }

  moveRecord({ kind, name, to, by, entry }: RecordMove): Promise<void> {
    const key = `${kind}/${name}`;
    const before = this.rows.records.get(key);
    if (before === undefined) return Promise.resolve();
    const moved = { ...before, revision: before.revision + 1, updatedAt: this.clock.now(), updatedBy: by.name };
    this.rows.records.set(
      key,
      kind === 'Agent' ? { ...moved, agent: { ...before.agent!, state: to } } : { ...moved, connection: { state: to } },
    );
    return this.note(entry);
  }

  change(id: ChangeId): Promise<DocumentChange | undefined> {
    return Promise.resolve(this.rows.changes.get(id));
  }

  async openChange(kind: RecordKind, name: string): Promise<DocumentChange | undefined> {
    return (await this.openChanges()).find((change) => change.kind === kind && change.name === name);
  }

  openChanges(): Promise<readonly DocumentChange[]> {
    const open = [...this.rows.changes.values()].filter(({ closed }) => closed === undefined);
    return Promise.resolve(open.sort((one, other) => -newestFirst(one, other)));
  }

  addChange(change: DocumentChange, entry: AuditEntry): Promise<void> {
    const isTaken = [...this.rows.changes.values()].some(
      ({ kind, name, closed }) => closed === undefined && kind === change.kind && name === change.name,
    );
    if (isTaken) throw new Error('a change waits already');
    this.rows.changes.set(change.id, change);
    return this.note(entry);
  }

  closeChange(id: ChangeId, closed: ChangeClosing, entry: AuditEntry): Promise<void> {
    const change = this.rows.changes.get(id);
    if (change === undefined || change.closed !== undefined) throw new Error('the change does not wait');
    this.rows.changes.set(id, { ...change, closed });
    return this.note(entry);
  }

  private insertVersion({ name, version, labels, spec, digest, author, publisher }: NewVersion): TemplateRecord {
    const row = { name, version, labels, spec, digest, author, publisher, publishedAt: this.clock.now() };
    this.rows.versions.set(name, [...this.versionsOf(name), row]);
    const before = this.rows.templates.get(name) ?? this.newTemplate(name);
    const template = this.changed({ ...before, labels, state: 'published', currentVersion: version });
    this.rows.templates.set(name, template);
    return template;
  }

  private upsert({ newAgent, ...write }: RecordWrite): void {
    const key = `${write.kind}/${write.name}`;
    const now = this.clock.now();
    const before = this.rows.records.get(key);
    const first = {
      ...{ revision: 0, createdAt: now },
      ...(newAgent === undefined ? {} : { agent: newAgent }),
      ...(write.kind === 'Connection' ? { connection: { state: 'enabled' as const } } : {}),
    };
    const kept = before ?? first;
    this.rows.records.set(key, { ...kept, ...write, revision: kept.revision + 1, updatedAt: now });
  }

  private newTemplate(name: string): TemplateRecord {
    const now = this.clock.now();
    return { name, labels: {}, state: 'draft', revision: 1, createdAt: now, updatedAt: now };
  }

  private changed(template: TemplateRecord): TemplateRecord {
    return { ...template, revision: template.revision + 1, updatedAt: this.clock.now() };
  }

  private versionsOf(name: string): readonly PublishedVersion[] {
    return this.rows.versions.get(name) ?? [];
  }

  private note(...entries: readonly AuditEntry[]): Promise<void> {
    this.rows.entries.push(...entries);
    return Promise.resolve();
  }
}

/** Copies the tables; rows are replaced, never changed. */
function copyOf({ records, templates, versions, entries, changes }: Rows): Rows {
  return {
    records: new Map(records),
    templates: new Map(templates),
    versions: new Map(versions),
    entries: [...entries],
    changes: new Map(changes),
  };
}

function newestFirst(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? 1 : -1;
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}

function pageOf<Row, Position>(
  rows: readonly Row[],
  limit: number,
  positionOf: (row: Row) => Position,
): Page<Row, Position> {
  const last = rows[limit - 1];
  return {
    items: rows.slice(0, limit),
    ...(last === undefined || rows.length <= limit ? {} : { next: positionOf(last) }),
  };
}
