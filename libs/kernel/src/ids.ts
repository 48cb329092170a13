import { typeid } from 'typeid-js';

/** Prefixes of Mayfly's ids. An id is a TypeID: prefix, `_`, 26 characters of a UUIDv7 (ordered by time). */
export type IdPrefix = 'tsk' | 'lse' | 'agt' | 'aud' | 'req';

export type Id<Prefix extends IdPrefix> = `${Prefix}_${string}`;
export type TaskId = Id<'tsk'>;
export type LeaseId = Id<'lse'>;
export type AgentId = Id<'agt'>;
export type AuditEntryId = Id<'aud'>;

/** Returns a new id. Later ids sort after earlier ones (to the millisecond). */
export function newId<Prefix extends IdPrefix>(prefix: Prefix): Id<Prefix> {
  return typeid(prefix).toString() as Id<Prefix>;
}

/** True when the text has the form of an id with this prefix. The thing itself may not exist. */
export function isId<Prefix extends IdPrefix>(prefix: Prefix, text: string): text is Id<Prefix> {
  return text.startsWith(`${prefix}_`) && /^[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(text.slice(prefix.length + 1));
}
