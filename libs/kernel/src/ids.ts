import { typeid } from 'typeid-js';

/** Prefixes of the ids that Mayfly gives out. An id is a TypeID: prefix, `_`, 26 characters of a UUIDv7 (time-ordered). */
export type IdPrefix = 'tsk' | 'lse' | 'agt' | 'aud' | 'req';

export type Id<Prefix extends IdPrefix> = `${Prefix}_${string}`;
export type TaskId = Id<'tsk'>;
export type LeaseId = Id<'lse'>;
export type AgentId = Id<'agt'>;
export type AuditEntryId = Id<'aud'>;

/** A new id; ids made later sort after ids made earlier (to the millisecond). */
export function newId<Prefix extends IdPrefix>(prefix: Prefix): Id<Prefix> {
  return typeid(prefix).toString() as Id<Prefix>;
}

/** Whether the text has the shape of an id with this prefix. It says nothing about whether the thing exists. */
export function isId<Prefix extends IdPrefix>(prefix: Prefix, text: string): text is Id<Prefix> {
  return text.startsWith(`${prefix}_`) && /^[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(text.slice(prefix.length + 1));
}
