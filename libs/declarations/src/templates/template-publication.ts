import type { AnyProvider } from '@mayfly/credentials';
import { digestOf, Problem, type Json } from '@mayfly/kernel';
import { CompiledTemplate, lintTemplate, refuseErrors } from '@mayfly/templates';
import type { LockedState } from '../declaration.store.js';
import { ofKind } from '../document.schema.js';
import { lintFactsOf } from '../lint-facts.js';
import { parseDocument } from '../parse-declarations.js';
import type { PolicyCheck } from '../policies/policy-faults.js';
import type { NewVersion, TemplateContent } from './template-record.js';

/**
 * Makes the next version of a template. Throws `invalid_template` when it does not compile: no request could be granted
 * under it.
 */
export async function nextVersionOf(
  state: Pick<LockedState, 'nextVersion'>,
  next: Omit<NewVersion, 'version' | 'digest'>,
): Promise<NewVersion> {
  const { name, labels, spec, author, publisher } = next;
  const version = { name, version: await state.nextVersion(name), labels, spec, digest: digestOf(spec) };
  new CompiledTemplate(version);
  return { ...version, author, publisher };
}

/** Lints the draft by the current rules: an older release may have saved it. Throws `invalid_template`. */
export async function lintDraft(
  state: Pick<LockedState, 'declared'>,
  name: string,
  { labels, spec }: TemplateContent,
  providers: readonly AnyProvider[],
  policies?: PolicyCheck,
): Promise<void> {
  parseDocument({ kind: 'TaskTemplate', metadata: { name, labels }, spec: spec as Json });
  const { declarations } = await state.declared();
  const connections = ofKind('Connection', declarations).map(({ metadata, spec: of }) => ({
    name: metadata.name,
    spec: of,
  }));
  refuseErrors(lintTemplate(spec, lintFactsOf(providers, connections, policies)), '/spec');
}

/** Builds the refusal for a caller who edited the draft that it wants to publish. */
export function fourEyesRefusal(): Problem {
  return new Problem('policy_denied', 'a person who changed a draft cannot publish it', {
    control: 'four-eyes',
    help: 'ask another member of the platform team to read and publish it',
  });
}
