import type { Actor } from '@mayfly/audit';
import { newId, Problem, type Clock, type Json } from '@mayfly/kernel';
import type { DeclarationStore, LockedState } from '../declaration.store.js';
import type { Declaration, DeclarationOf } from '../document.schema.js';
import { parseDocument } from '../parse-declarations.js';
import { existing, kindWord, type DeclaredRecord, type Declarer, type RecordKind } from '../records/declared-record.js';
import type { DocumentWriter } from '../records/document-writer.js';
import { refuseForeign } from '../records/ownership.js';
import { lapse, requestedEntry, supersession } from './change-entries.js';
import {
  isSameContent,
  isSamePerson,
  isStale,
  lapseOf,
  MAX_OPEN_CHANGES,
  stateAt,
  type ChangeOperation,
  type DocumentChange,
  type DocumentContent,
  type RequestedChange,
} from './document-change.js';

/** The parts that requests for changes work with. */
export interface ChangeRequestsParts {
  readonly store: Pick<DeclarationStore, 'underLock'>;
  readonly writer: Pick<DocumentWriter, 'check'>;
  readonly clock: Clock;
}

/** The record that a step is for, with the state that the step needs. */
export interface StepRequest {
  readonly operation: Exclude<ChangeOperation, 'put'>;
  readonly kind: RecordKind;
  readonly name: string;
}

/** Asks for changes that a second person must approve. At most one change of a document waits. */
export class ChangeRequests {
  constructor(private readonly parts: ChangeRequestsParts) {}

  /**
   * Stores the change of a document, and returns it. It replaces the waiting change of the same author; the same change
   * is returned as it is. Returns undefined, and takes the author's waiting change back, when the document in force is
   * the one asked for. Throws `invalid_declaration`, and `conflict` while another person's change waits.
   */
  async request(
    state: LockedState,
    declared: DeclarationOf<RecordKind>,
    before: DeclaredRecord | undefined,
    by: Declarer,
  ): Promise<DocumentChange | undefined> {
    const { kind, metadata } = declared;
    const asked = { labels: metadata.labels ?? {}, spec: declared.spec as Json };
    const waiting = await this.standing(state, kind, metadata.name, before, by);
    if (before !== undefined && isSameContent(before, asked)) {
      if (waiting !== undefined && isSamePerson(waiting.author.actor, by.actor))
        await this.supersede(state, waiting, by.actor);
      return undefined;
    }
    refuseSecond(waiting, by);
    if (waiting?.asked !== undefined && isSameContent(waiting.asked, asked)) return waiting;
    await this.parts.writer.check(state, declared, () => waitingDocuments(state));
    return this.open(state, waiting, { kind, name: metadata.name, operation: 'put', asked, before, by });
  }

  /**
   * Asks for a step that lifts a stop. Throws `not_found`, `policy_denied` (`ownership`; operators act for all), and
   * `conflict` when the record is in another state or another person's change waits.
   */
  async step(
    { operation, kind, name }: StepRequest,
    by: Declarer,
    isStopped: (record: DeclaredRecord) => boolean,
  ): Promise<RequestedChange> {
    const change = await this.parts.store.underLock(async (state) => {
      const before = existing(await state.lockRecord(kind, name), kind, name);
      refuseForeign(by, [before], ['operator']);
      if (!isStopped(before))
        throw new Problem('conflict', `${kindWord(kind)} \`${name}\` is not stopped any more; read it again`);
      const waiting = await this.standing(state, kind, name, before, by);
      refuseSecond(waiting, by);
      if (waiting?.operation === operation) return waiting;
      return this.open(state, waiting, { kind, name, operation, before, by });
    });
    return { change };
  }

  /** Closes the waiting change of a document that is being deleted. */
  async withdraw(state: LockedState, { kind, name }: DeclaredRecord, by: Actor): Promise<void> {
    const waiting = await state.openChange(kind, name);
    if (waiting !== undefined) await this.supersede(state, waiting, by);
  }

  /** Returns the change of the document that still counts. One that lapsed, or whose document moved on, is closed. */
  private async standing(
    state: LockedState,
    kind: RecordKind,
    name: string,
    record: DeclaredRecord | undefined,
    by: Declarer,
  ): Promise<DocumentChange | undefined> {
    const waiting = await state.openChange(kind, name);
    if (waiting === undefined) return undefined;
    const now = this.parts.clock.now();
    if (stateAt(waiting, now) === 'lapsed') {
      const { closing, entry } = lapse(waiting, now);
      await state.closeChange(waiting.id, closing, entry);
      return undefined;
    }
    if (!isStale(waiting, record)) return waiting;
    await this.supersede(state, waiting, by.actor);
    return undefined;
  }

  private async open(
    state: LockedState,
    replaced: DocumentChange | undefined,
    { kind, name, operation, asked, before, by }: NewChange,
  ): Promise<DocumentChange> {
    if (replaced === undefined && (await state.openChanges()).length >= MAX_OPEN_CHANGES)
      throw new Problem('conflict', `${String(MAX_OPEN_CHANGES)} changes wait already`, {
        help: 'ask for the approval or the refusal of some of them first',
      });
    const now = this.parts.clock.now();
    const change: DocumentChange = {
      ...{ id: newId('chg'), kind, name, operation },
      ...(asked === undefined ? {} : { asked }),
      ...(before === undefined
        ? {}
        : { base: { labels: before.labels, spec: before.spec, revision: before.revision } }),
      ...{ author: { name: by.name, actor: by.actor }, requestedAt: now, lapsesAt: lapseOf(now) },
    };
    if (replaced !== undefined) {
      const { closing, entry } = supersession(replaced, now, by.actor, change.id);
      await state.closeChange(replaced.id, closing, entry);
    }
    await state.addChange(change, requestedEntry(change));
    return change;
  }

  private async supersede(state: LockedState, change: DocumentChange, by: Actor): Promise<void> {
    const { closing, entry } = supersession(change, this.parts.clock.now(), by);
    await state.closeChange(change.id, closing, entry);
  }
}

interface NewChange {
  readonly kind: RecordKind;
  readonly name: string;
  readonly operation: ChangeOperation;
  readonly asked?: DocumentContent;
  readonly before: DeclaredRecord | undefined;
  readonly by: Declarer;
}

/** Throws `conflict` when the change of another person waits for the document. */
function refuseSecond(waiting: DocumentChange | undefined, by: Declarer): void {
  if (waiting === undefined || isSamePerson(waiting.author.actor, by.actor)) return;
  const { id, kind, name, author } = waiting;
  const detail = `change \`${id}\` of \`${author.name}\` waits for ${kindWord(kind)} \`${name}\`; approve or refuse it first`;
  throw new Problem('conflict', detail);
}

async function waitingDocuments(state: LockedState): Promise<Declaration[]> {
  return (await state.openChanges()).flatMap(({ kind, name, asked }) =>
    asked === undefined ? [] : [documentOf(kind, name, asked)],
  );
}

/** Returns the document that a change asks for. Throws `invalid_declaration` when an older release stored it. */
export function documentOf(kind: RecordKind, name: string, { labels, spec }: DocumentContent) {
  return parseDocument({ kind, metadata: { name, labels }, spec }, kind) as DeclarationOf<RecordKind>;
}
