import type { Actor } from '@mayfly/audit';
import type { Role } from '@mayfly/identity';
import { Problem, type AgentId, type Json, type Labels } from '@mayfly/kernel';
import type { RegisteredAgent } from '../catalog.js';
import type { Declaration, DeclarationKind } from '../document.schema.js';

/** The kinds whose document is one row; templates have versions instead. */
export type RecordKind = Exclude<DeclarationKind, 'TaskTemplate'>;

/** A stored declaration. `revision` counts its changes from 1. */
export interface DeclaredRecord {
  readonly kind: RecordKind;
  readonly name: string;
  readonly labels: Labels;
  readonly spec: Json;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** the author of the last change */
  readonly updatedBy: string;
  /** of agents only */
  readonly agent?: { readonly id: AgentId; readonly state: RegisteredAgent['state'] };
  /** of connections only */
  readonly connection?: { readonly state: ConnectionState };
}

export type ConnectionState = 'enabled' | 'disabled';

/** The whole declared state: all records, and the version in force of each template. */
export interface DeclaredState {
  readonly declarations: readonly Declaration[];
  /** the names of retired templates; none of their versions is in force */
  readonly retiredTemplates: ReadonlySet<string>;
}

/** The author of a change: `name` is stored with the declaration, `actor` goes into the audit. */
export interface Declarer {
  readonly name: string;
  readonly actor: Actor;
  /** of persons: their roles, and the names of their groups */
  readonly rights?: { readonly roles: readonly Role[]; readonly groups: readonly string[] };
}

const WORDS: Readonly<Record<DeclarationKind, string>> = {
  Issuer: 'issuer',
  Connection: 'connection',
  Agent: 'agent',
  Policy: 'policy',
  TaskTemplate: 'template',
};

/** Returns the word for a kind in texts. */
export function kindWord(kind: DeclarationKind): string {
  return WORDS[kind];
}

/** Returns `found`. Throws `not_found` when it is undefined. */
export function existing<Found>(found: Found | undefined, kind: DeclarationKind, name: string): Found {
  if (found === undefined) throw new Problem('not_found', `there is no ${WORDS[kind]} \`${name}\``);
  return found;
}
