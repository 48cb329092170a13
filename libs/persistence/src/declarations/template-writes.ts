import type { EditedDraft, NewVersion } from '@mayfly/declarations';
import type { ClientBase } from 'pg';
import { jsonText } from '../database/columns.js';

/** Replaces the draft of a template, in the caller's transaction. Creates the template when it does not exist. */
export async function upsertDraft(
  client: ClientBase,
  name: string,
  { labels, spec, author, editors }: EditedDraft,
): Promise<void> {
  await client.query(
    `INSERT INTO public.template AS old (name, labels, draft, draft_author, draft_editors) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (name) DO UPDATE SET draft = EXCLUDED.draft, draft_author = EXCLUDED.draft_author,
       draft_editors = EXCLUDED.draft_editors, revision = old.revision + 1, updated_at = EXCLUDED.updated_at`,
    [name, jsonText(labels), jsonText({ labels, spec }), author, editors],
  );
}

/** Returns the number of the next version. It stays the next one while the caller holds the lock of declared state. */
export async function nextVersion(client: ClientBase, name: string): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    'SELECT coalesce(max(version), 0) + 1 AS version FROM public.template_version WHERE name = $1',
    [name],
  );
  return rows[0]?.version ?? 1;
}

/** Writes a version and puts it in force, in the caller's transaction. */
export async function insertVersion(client: ClientBase, next: NewVersion): Promise<void> {
  const { name, version, labels, spec, digest, author, publisher } = next;
  await client.query('INSERT INTO public.template (name) VALUES ($1) ON CONFLICT (name) DO NOTHING', [name]);
  await client.query(
    `INSERT INTO public.template_version (name, version, labels, spec, digest, author, publisher)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [name, version, jsonText(labels), jsonText(spec), digest, author, publisher],
  );
  await client.query(
    `UPDATE public.template SET state = 'published', current_version = $2, labels = $3, revision = revision + 1,
       updated_at = moment.at FROM (SELECT now() AS at) AS moment WHERE name = $1`,
    [name, version, jsonText(labels)],
  );
}

/** Retires the template, in the caller's transaction. */
export async function retireTemplate(client: ClientBase, name: string): Promise<void> {
  await client.query(
    `UPDATE public.template SET state = 'retired', revision = revision + 1, updated_at = moment.at
     FROM (SELECT now() AS at) AS moment WHERE name = $1`,
    [name],
  );
}
