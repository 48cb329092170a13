import { Problem, type Json } from '@mayfly/kernel';
import { diffSpecs, type Difference } from '@mayfly/templates';
import type { LockedState } from '../declaration.store.js';
import { placesOf } from '../records/changed-places.js';
import type { EditedDraft, TemplateContent, TemplateRecord } from './template-record.js';

/** Throws `conflict` for a retired template. */
export function refuseRetired(template: TemplateRecord | undefined): void {
  if (template?.state === 'retired')
    throw new Problem('conflict', `template \`${template.name}\` is retired permanently; use a new name`);
}

/**
 * Returns the draft as saved now, with its author and editors. Saving unchanged content keeps them; saving the content
 * in force removes all earlier editors.
 */
export async function editedBy(
  by: string,
  { labels, spec }: TemplateContent,
  before: TemplateRecord | undefined,
  state: Pick<LockedState, 'version'>,
): Promise<EditedDraft> {
  const saved = { labels, spec };
  const { name = '', draft, currentVersion } = before ?? {};
  if (draft === undefined) return { ...saved, author: by, editors: [by] };
  if (isSame(draft, saved)) return { ...saved, author: draft.author, editors: draft.editors };
  const inForce = currentVersion === undefined ? undefined : await state.version(name, currentVersion);
  if (inForce !== undefined && isSame(inForce, saved)) return { ...saved, author: by, editors: [by] };
  return { ...saved, author: by, editors: [...new Set([...draft.editors, by])] };
}

/** Returns the facts of an audit entry about what changed. */
export function changedFacts(before: TemplateContent | undefined, after: TemplateContent) {
  if (before === undefined) return { change: 'create' as const };
  return { change: 'update' as const, ...placesOf(differencesOf(before, after)) };
}

/** Compares labels and spec of two drafts or versions. */
export function differencesOf(before: TemplateContent, after: TemplateContent): Difference[] {
  return diffSpecs(contentOf(before), contentOf(after));
}

function isSame(one: TemplateContent, other: TemplateContent): boolean {
  return differencesOf(one, other).length === 0;
}

function contentOf({ labels, spec }: TemplateContent): Json {
  return { labels, spec: spec as Json };
}
