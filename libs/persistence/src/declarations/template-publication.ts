import { digestOf, type Labels } from '@mayfly/kernel';
import { CompiledTemplate, type TaskTemplateSpec } from '@mayfly/templates';
import type { ClientBase } from 'pg';
import { jsonText } from '../database/columns.js';

export interface NewVersion {
  readonly name: string;
  readonly labels: Labels;
  readonly spec: TaskTemplateSpec;
  readonly author: string;
  readonly publisher: string;
}

/**
 * Writes the next version of a template, puts it in force, in the caller's transaction, and returns its number. Throws
 * `invalid_template` when it does not compile: no request could be granted under it.
 */
export async function publishVersion(client: ClientBase, next: NewVersion): Promise<number> {
  const { name, labels, spec, author, publisher } = next;
  await client.query('INSERT INTO public.template (name) VALUES ($1) ON CONFLICT (name) DO NOTHING', [name]);
  const { rows } = await client.query<{ version: number }>(
    'SELECT coalesce(max(version), 0) + 1 AS version FROM public.template_version WHERE name = $1',
    [name],
  );
  const version = rows[0]?.version ?? 1;
  const digest = digestOf(spec);
  new CompiledTemplate({ name, version, labels, spec, digest });
  await client.query(
    `INSERT INTO public.template_version (name, version, labels, spec, digest, author, publisher)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [name, version, jsonText(labels), jsonText(spec), digest, author, publisher],
  );
  await client.query(
    `UPDATE public.template SET state = 'published', current_version = $2, labels = $3, revision = revision + 1, updated_at = now()
     WHERE name = $1`,
    [name, version, jsonText(labels)],
  );
  return version;
}
