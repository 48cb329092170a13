import type { PublishedVersion, TemplateContent, TemplateRecord } from '@mayfly/declarations';
import type { Page, PageRequest } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { pageOf } from '../database/history-page.js';

interface TemplateRow extends Omit<TemplateRecord, 'currentVersion' | 'draft'> {
  readonly currentVersion: number | null;
  readonly draft: TemplateContent | null;
  readonly draftAuthor: string | null;
  readonly draftEditors: readonly string[];
}

const TEMPLATE = `SELECT name, labels, state, revision, created_at AS "createdAt", updated_at AS "updatedAt",
  current_version AS "currentVersion", draft, draft_author AS "draftAuthor",
  draft_editors AS "draftEditors" FROM public.template`;

const VERSION = `SELECT name, version, labels, spec, digest, author, publisher, published_at AS "publishedAt"
  FROM public.template_version WHERE name = $1`;

/** Returns the template, or undefined. */
export async function findTemplate(client: ClientBase | Pool, name: string): Promise<TemplateRecord | undefined> {
  const { rows } = await client.query<TemplateRow>(`${TEMPLATE} WHERE name = $1`, [name]);
  return rows.map(templateOf)[0];
}

/** Returns one page of all templates, by name. */
export async function listTemplates(
  pool: Pool,
  { limit, after = '' }: PageRequest<string>,
): Promise<Page<TemplateRecord, string>> {
  const text = `${TEMPLATE} WHERE name > $1 ORDER BY name LIMIT $2`;
  const { rows } = await pool.query<TemplateRow>(text, [after, limit + 1]);
  return pageOf(rows, limit, templateOf, ({ name }) => name);
}

/** Returns the version, or undefined. */
export async function findVersion(
  client: ClientBase | Pool,
  name: string,
  version: number,
): Promise<PublishedVersion | undefined> {
  const { rows } = await client.query<PublishedVersion>(`${VERSION} AND version = $2`, [name, version]);
  return rows[0];
}

/** Returns one page of a template's versions, the newest first. */
export async function listVersions(
  pool: Pool,
  name: string,
  { limit, after }: PageRequest<number>,
): Promise<Page<PublishedVersion, number>> {
  const text = `${VERSION} AND ($2::int IS NULL OR version < $2) ORDER BY version DESC LIMIT $3`;
  const { rows } = await pool.query<PublishedVersion>(text, [name, after ?? null, limit + 1]);
  return pageOf(
    rows,
    limit,
    (row) => row,
    ({ version }) => version,
  );
}

/** Builds a template from its row without parsing it again: the catalog parses what decides requests. */
function templateOf({ currentVersion, draft, draftAuthor, draftEditors, ...row }: TemplateRow): TemplateRecord {
  return {
    ...row,
    ...(currentVersion === null ? {} : { currentVersion }),
    ...(draft === null || draftAuthor === null
      ? {}
      : { draft: { ...draft, author: draftAuthor, editors: draftEditors } }),
  };
}
