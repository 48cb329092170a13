import {
  type Catalog,
  type DeclarationOf,
  type DeclaredRecord,
  parseDocument,
  type Precondition,
  type RecordKind,
} from '@mayfly/declarations';
import { type Json, type JsonObject, Problem } from '@mayfly/kernel';
import type { PgDeclarationStore, RemovableKind } from '@mayfly/persistence';
import { z } from 'zod';
import { type PageQuery, pageView, positionOf } from '../http/page.js';
import { mustBeNew } from '../http/preconditions.js';
import { declarerOf, type Principal } from '../security/principal.js';
import type { RefusalRecorder } from '../security/refusal.recorder.js';
import { declaredView } from './declared.view.js';
import { ISSUER_ROLES, withoutRoles } from './issuer-roles.js';

export interface DeclarationsParts {
  readonly declarations: PgDeclarationStore;
  readonly catalog: Pick<Catalog, 'refresh'>;
  readonly refusals: Pick<RefusalRecorder, 'forbidden'>;
  /** true: issuers with roles may be declared over the API, not only by the operator's files */
  readonly rolesOverApi: boolean;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/** The caller and the HTTP method of a change. */
interface Change {
  readonly caller: Principal;
  readonly method: 'POST' | 'PUT' | 'DELETE';
}

/** Reads and changes issuers, connections and agents for the routes. */
export class DeclarationsService {
  constructor(private readonly parts: DeclarationsParts) {}

  async list(kind: RecordKind, { limit, cursor }: PageQuery): Promise<JsonObject> {
    const { items, next } = await this.parts.declarations.list(kind, { limit, after: positionOf(cursor, z.string()) });
    return pageView(items.map(declaredView), next);
  }

  /** Throws `not_found`. */
  find(kind: RecordKind, name: string): Promise<DeclaredRecord> {
    return this.parts.declarations.find(kind, name);
  }

  /** Throws `invalid_declaration`, `policy_denied` (`issuer-roles`), and `conflict` when the name is taken. */
  create(kind: RecordKind, body: Json, caller: Principal): Promise<DeclaredRecord> {
    return this.write(readDocument(kind, body), mustBeNew, { caller, method: 'POST' });
  }

  /** Creates or replaces a document. Throws `invalid_declaration` and the problem of the precondition. */
  put(kind: RecordKind, name: string, body: Json, precondition: Precondition, caller: Principal) {
    const declared = readDocument(kind, body);
    if (declared.metadata.name !== name) {
      const detail = `use \`${name}\`, the name in the address`;
      throw new Problem('invalid_declaration', detail, { errors: [{ pointer: '/metadata/name', detail }] });
    }
    return this.write(declared, precondition, { caller, method: 'PUT' });
  }

  /** Throws `not_found`, `conflict` while the document is in use, and the precondition's problem. */
  async remove(kind: RemovableKind, name: string, precondition: Precondition, caller: Principal): Promise<void> {
    const judge = this.parts.rolesOverApi ? precondition : withoutRoles(precondition);
    await this.audited({ caller, method: 'DELETE' }, () =>
      this.parts.declarations.remove(kind, name, judge, declarerOf(caller)),
    );
    await this.refresh();
  }

  private async write(declared: DeclarationOf<RecordKind>, precondition: Precondition, change: Change) {
    const judge = this.parts.rolesOverApi ? precondition : withoutRoles(precondition, declared);
    const record = await this.audited(change, () =>
      this.parts.declarations.put(declared, judge, declarerOf(change.caller)),
    );
    await this.refresh();
    return record;
  }

  /** Audits the attempt to change an issuer with roles, then rethrows its refusal. */
  private async audited<T>({ caller, method }: Change, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof Problem && error.extensions.control === ISSUER_ROLES) {
        const route = method === 'POST' ? 'POST /issuers' : `${method} /issuers/:name`;
        await this.parts.refusals.forbidden(caller, route, ISSUER_ROLES);
      }
      throw error;
    }
  }

  /** Refreshes the catalog. A failed refresh does not fail the request, because the change is committed. */
  private async refresh(): Promise<void> {
    await this.parts.catalog.refresh().catch(this.parts.report);
  }
}

function readDocument(kind: RecordKind, body: Json | undefined): DeclarationOf<RecordKind> {
  return parseDocument(body ?? null, kind) as DeclarationOf<RecordKind>;
}
