import { problemThrownBy, type FieldError, type Problem } from '@mayfly/kernel';
import { CompiledTemplate, lintTemplate, refuseErrors, type Finding } from '@mayfly/templates';
import { checkDeclarations, type DeclarationContext } from './check-declarations.js';
import { inApplyOrder, ofKind, type Declaration, type DeclarationOf } from './document.schema.js';
import { refuseInvalid } from './invalid-declaration.js';
import { lintFactsOf } from './lint-facts.js';

/** The result of checking one document of a run. */
export interface CheckedDocument {
  readonly declared: Declaration;
  /** the problem with which the document would be refused */
  readonly refusal?: Problem;
  /** for templates: the linter's findings, with the connections as the run leaves them */
  readonly findings: readonly Finding[];
  /** for templates: the problem that would keep it from being published */
  readonly publication?: Problem;
}

/**
 * Checks the documents of a run as if each were applied to `stored`, one after the other in the order of applying.
 * Changes nothing. A refused document counts as applied for the following ones, so that each fault is reported once, at
 * the document that causes it. Lazy: the caller may yield between two documents.
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
    // counts as changed in the later checks too: a fault has another text in a document that the run does not change
    if (errors.length > 0) refused.push(declared);
    const refusal = problemThrownBy(() => {
      refuseInvalid(errors);
    });
    yield { declared, findings: [], ...(refusal === undefined ? {} : { refusal }) };
  }
}

/** A template becomes a draft whatever the linter finds. Errors block its publication only. */
function checkTemplate(
  declared: DeclarationOf<'TaskTemplate'>,
  state: readonly Declaration[],
  { providers, policies }: DeclarationContext,
): CheckedDocument {
  const connections = ofKind('Connection', state).map(({ metadata, spec }) => ({ name: metadata.name, spec }));
  const findings = lintTemplate(declared.spec, lintFactsOf(providers, connections, policies));
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
