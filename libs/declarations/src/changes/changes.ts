import { type ChangeId, isId, type JsonObject, pageView, positionOf, Problem, type Clock } from '@mayfly/kernel';
import { z } from 'zod';
import type { Catalog } from '../catalog.js';
import type { DeclarationStore, LockedState } from '../declaration.store.js';
import type { Declarer, DeclaredRecord } from '../records/declared-record.js';
import type { DocumentWriter } from '../records/document-writer.js';
import { refuseRoles } from '../records/issuer-roles.js';
import type { ChangeFilter } from './change.store.js';
import { changeDetailView, changeView } from './change.view.js';
import { approval, lapse, refusal, supersession } from './change-entries.js';
import { documentOf } from './change-requests.js';
import { refuseDecider } from './decider.js';
import { isStale, stateAt, type DocumentChange } from './document-change.js';
import { stepMove } from './step-move.js';

/** The most lapsed changes that one round closes. */
const LAPSE_LIMIT = 100;

const PositionSchema = z.string().refine((text): text is ChangeId => isId('chg', text));

/** The parts and the settings that decisions on changes work with. */
export interface ChangesParts {
  readonly store: Pick<DeclarationStore, 'changes' | 'records' | 'underLock'>;
  readonly writer: Pick<DocumentWriter, 'merge'>;
  readonly catalog: Pick<Catalog, 'refresh'>;
  readonly clock: Clock;
  /** true: issuers with roles may be declared over the API */
  readonly rolesOverApi: boolean;
  /** replaces what looks like a secret */
  readonly redact: (text: string) => string;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/** Query of the list of changes. */
export interface ChangesQuery extends Omit<ChangeFilter, 'now'> {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Changes that wait for a second person, and the decisions on them. */
export class Changes {
  constructor(private readonly parts: ChangesParts) {}

  /** Lists changes, the newest first. Throws `invalid_request` for a cursor of another list. */
  async list({ limit, cursor, ...filter }: ChangesQuery): Promise<JsonObject> {
    const after = positionOf<ChangeId>(cursor, PositionSchema);
    const now = this.parts.clock.now();
    const { items, next } = await this.parts.store.changes.list({ ...filter, now }, { limit, after });
    return pageView(
      items.map((change) => changeView(change, now)),
      next,
    );
  }

  /** Returns a change with what is in force and what is asked. Throws `not_found`. */
  async view(id: ChangeId): Promise<JsonObject> {
    const { store, clock } = this.parts;
    const change = found(await store.changes.find(id), id);
    const record = await store.records.find(change.kind, change.name);
    return changeDetailView(change, record, clock.now());
  }

  /**
   * Approves a change, which takes effect in the same commit. Throws `not_found`; `conflict` for a closed change;
   * `policy_denied` for its author (`four-eyes`) and for a person of another owner (`ownership`); `precondition_failed`
   * when the document moved on, which closes the change; and `invalid_declaration` when the declared state no longer
   * allows it.
   */
  async approve(id: ChangeId, reason: string | undefined, by: Declarer): Promise<JsonObject> {
    const told = reason === undefined ? undefined : this.parts.redact(reason);
    const refused = await this.parts.store.underLock((state) => this.approveLocked(state, id, told, by));
    if (refused !== undefined) throw refused;
    await this.parts.catalog.refresh().catch(this.parts.report);
    return this.view(id);
  }

  /** Refuses a change. Throws `not_found`, and `conflict` and `policy_denied` as `approve` does. */
  async refuse(id: ChangeId, reason: string, by: Declarer): Promise<JsonObject> {
    const refused = await this.parts.store.underLock(async (state) => {
      const change = found(await state.change(id), id);
      const closed = await this.closedProblem(state, change);
      if (closed !== undefined) return closed;
      refuseDecider(change, by);
      const { closing, entry } = refusal(change, this.parts.clock.now(), by.actor, this.parts.redact(reason));
      await state.closeChange(id, closing, entry);
      return undefined;
    });
    if (refused !== undefined) throw refused;
    return this.view(id);
  }

  /** Closes changes that lapsed. Returns their number. */
  async lapse(): Promise<number> {
    const { store, clock } = this.parts;
    const due = await store.changes.lapsed(clock.now(), LAPSE_LIMIT);
    if (due.length === 0) return 0;
    return store.underLock(async (state) => {
      let count = 0;
      for (const id of due) {
        const change = await state.change(id);
        if (change === undefined || change.closed !== undefined) continue;
        await this.closedProblem(state, change);
        count += 1;
      }
      return count;
    });
  }

  /** Returns the problem instead of throwing it when its cause must be recorded: the lock commits what resolves. */
  private async approveLocked(
    state: LockedState,
    id: ChangeId,
    reason: string | undefined,
    by: Declarer,
  ): Promise<Problem | undefined> {
    const change = found(await state.change(id), id);
    const closed = await this.closedProblem(state, change);
    if (closed !== undefined) return closed;
    refuseDecider(change, by);
    const now = this.parts.clock.now();
    // The row stays as it is until the commit: no suspension or retirement comes between this look and the write.
    const record = await state.lockRecord(change.kind, change.name);
    if (isStale(change, record)) {
      const { closing, entry } = supersession(change, now, by.actor);
      await state.closeChange(id, closing, entry);
      return staleProblem(change);
    }
    await this.takeEffect(state, change, record);
    const { closing, entry } = approval(change, now, by.actor, reason);
    await state.closeChange(id, closing, entry);
    return undefined;
  }

  private async takeEffect(
    state: LockedState,
    change: DocumentChange,
    record: DeclaredRecord | undefined,
  ): Promise<void> {
    const { kind, name, asked, author } = change;
    if (asked === undefined) return state.moveRecord(stepMove(change, record, this.parts.clock.now()));
    const declared = documentOf(kind, name, asked);
    if (!this.parts.rolesOverApi) refuseRoles(record, declared);
    await this.parts.writer.merge(state, [declared], { by: author, newAgentState: 'registered' });
  }

  /** Returns the problem of a change that nobody can decide on any more. Records that it lapsed. */
  private async closedProblem(state: LockedState, change: DocumentChange): Promise<Problem | undefined> {
    const now = this.parts.clock.now();
    const standing = stateAt(change, now);
    if (standing === 'open') return undefined;
    if (change.closed === undefined) {
      const { closing, entry } = lapse(change, now);
      await state.closeChange(change.id, closing, entry);
    }
    const by = change.closed?.supersededBy;
    const words = by === undefined ? standing : `superseded by \`${by}\``;
    return new Problem('conflict', `change \`${change.id}\` is ${words}; read the changes that wait`);
  }
}

function found(change: DocumentChange | undefined, id: ChangeId): DocumentChange {
  if (change === undefined) throw new Problem('not_found', `there is no change \`${id}\``);
  return change;
}

function staleProblem({ id, name, author }: DocumentChange): Problem {
  const detail = `\`${name}\` has moved on since change \`${id}\` was written, which is closed; write it again`;
  return new Problem('precondition_failed', detail, {
    help: `ask \`${author.name}\` to send it against what is in force`,
  });
}
