import { problemThrownBy, type FieldError, type Problem } from '@mayfly/kernel';
import { CompiledTemplate, lintTemplate, refuseErrors, type Finding } from '@mayfly/templates';
import { checkDeclarations, type DeclarationContext } from './check-declarations.js';
import { inApplyOrder, ofKind, type Declaration, type DeclarationOf } from './document.schema.js';
import { invalidDeclaration } from './invalid-declaration.js';
import { lintFactsOf } from './lint-facts.js';

/** What one document of a run meets. */
export interface CheckedDocument {
  readonly declared: Declaration;
  /** why it would be refused */
  readonly refusal?: Problem;
  /** of templates: what the linter says, with the connections as the run leaves them */
  readonly findings: readonly Finding[];
  /** of templates: why it would not be put in force */
  readonly publication?: Problem;
}

/**
 * Judges the documents of a run as if each were applied, one after the other in the order of applying, to what is
 * `stored`; nothing is changed. A document that is refused counts as applied for those that follow, so that each fault
 * is told once, at the document that brings it. Lazy: between two documents the caller may let others run.
 */
export function* checkRun(
  stored: readonly Declaration[],
  documents: readonly Declaration[],
  context: DeclarationContext,
): Generator<CheckedDocument> {
  const told = new Set<string>();
  const refused: Declaration[] = [];
  let state = stored;
  for (const declared of inApplyOrder(documents)) {
    if (declared.kind === 'TaskTemplate') {
      yield checkTemplate(declared, state, context);
      continue;
    }
    state = [...state.filter((other) => !isSame(other, declared)), declared];
    const errors = errorsIn(state, context, [...refused, declared]).filter(({ detail }) => !told.has(detail));
    for (const { detail } of errors) told.add(detail);
    if (errors.length > 0) refused.push(declared); // judged as a change again: its faults keep their words
    yield { declared, findings: [], ...(errors.length === 0 ? {} : { refusal: invalidDeclaration(errors) }) };
  }
}

/** A template becomes a draft whatever the linter says; what it breaks stands against its publication. */
function checkTemplate(
  declared: DeclarationOf<'TaskTemplate'>,
  state: readonly Declaration[],
  { providers }: DeclarationContext,
): CheckedDocument {
  const connections = ofKind('Connection', state).map(({ metadata, spec }) => ({ name: metadata.name, spec }));
  const findings = lintTemplate(declared.spec, lintFactsOf(providers, connections));
  const publication = problemThrownBy(() => {
    refuseErrors(findings, '/spec');
    const { metadata, spec } = declared;
    new CompiledTemplate({ name: metadata.name, version: 1, labels: metadata.labels ?? {}, spec, digest: '' });
  });
  return { declared, findings, ...(publication === undefined ? {} : { publication }) };
}

function errorsIn(
  state: readonly Declaration[],
  context: DeclarationContext,
  changed: readonly Declaration[],
): readonly FieldError[] {
  return problemThrownBy(() => checkDeclarations(state, context, changed))?.extensions.errors ?? [];
}

function isSame(one: Declaration, other: Declaration): boolean {
  return one.kind === other.kind && one.metadata.name === other.metadata.name;
}
