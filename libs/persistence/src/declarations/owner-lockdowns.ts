import { type Json, Problem } from '@mayfly/kernel';
import type { ClientBase } from 'pg';

/** A document that is about to be written. */
interface OwnedWrite {
  readonly kind: string;
  readonly name: string;
  readonly spec: Json;
}

/** Finds the owner that a document has now; of a template, that of the version in force. */
const OWNERS: Readonly<Record<string, string>> = {
  Agent: `SELECT spec->>'owner' AS owner FROM public.agent WHERE name = $1`,
  Connection: `SELECT spec->>'owner' AS owner FROM public.connection WHERE name = $1`,
  Policy: `SELECT spec->>'owner' AS owner FROM public.policy WHERE name = $1`,
  TaskTemplate: `SELECT v.spec->>'owner' AS owner FROM public.template t
    JOIN public.template_version v ON v.name = t.name AND v.version = t.current_version WHERE t.name = $1`,
};

/**
 * Throws `policy_denied` when a write would take a document out of the lockdown of its owner: one person of the platform
 * team could otherwise release what two operators must release. The caller holds the lock of declared state, for which
 * the engagement of such a lockdown waits.
 */
export async function refuseOwnerEscape(client: ClientBase, writes: readonly OwnedWrite[]): Promise<void> {
  const { rows: engaged } = await client.query<{ name: string }>(
    `SELECT name FROM public.guard WHERE kind = 'owner' AND lockdown_id IS NOT NULL`,
  );
  if (engaged.length === 0) return;
  const locked = new Set(engaged.map(({ name }) => name));
  for (const { kind, name, spec } of writes) {
    const owner = await ownerOf(client, kind, name);
    if (owner === undefined || !locked.has(owner) || (spec as { readonly owner?: Json }).owner === owner) continue;
    throw new Problem('policy_denied', `${kind} \`${name}\` is under the lockdown of its owner \`${owner}\``, {
      ...{ control: 'lockdown', help: 'keep the owner until two operators have released the lockdown' },
    });
  }
}

async function ownerOf(client: ClientBase, kind: string, name: string): Promise<string | undefined> {
  const text = OWNERS[kind];
  if (text === undefined) return undefined;
  return (await client.query<{ owner: string }>(text, [name])).rows[0]?.owner;
}
