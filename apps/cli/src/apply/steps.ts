import { diffDeclarations, type Declaration, type DeclarationChange } from '@mayfly/declarations';
import type { Content, Found } from './declarations.client.js';
import { titleOf, type DeclaredInFile } from './declared-file.js';

type Difference = DeclarationChange['differences'][number];

/** The change that applying makes to one document. */
export interface ApplyStep {
  readonly file: string;
  readonly declared: Declaration;
  readonly change: DeclarationChange['change'];
  readonly differences: readonly Difference[];
  /** entity tag of the stored document; undefined when there is none */
  readonly etag?: string;
  /** the change of the current version by publishing; undefined: nothing to publish */
  readonly publication?: { readonly differences: readonly Difference[]; readonly author?: string };
}

/** Returns the steps in order of application: a document comes before those that refer to it. Pure. */
export function stepsOf(
  documents: readonly DeclaredInFile[],
  found: ReadonlyMap<string, Found>,
  publish: boolean,
): ApplyStep[] {
  const known = new Map(documents.map((document) => [titleOf(document.declared), document]));
  const before = documents.flatMap(({ declared }) => {
    const content = found.get(titleOf(declared))?.content;
    return content === undefined ? [] : [asDeclared(declared, content)];
  });
  const changes = diffDeclarations(
    before,
    documents.map(({ declared }) => asDeclared(declared, contentOf(declared))),
  );
  return changes.flatMap(({ kind, name, change, differences }) => {
    const document = known.get(`${kind}/${name}`);
    if (document === undefined) return [];
    const there = found.get(`${kind}/${name}`);
    const publication =
      publish && kind === 'TaskTemplate' ? publicationOf(document.declared, there, change) : undefined;
    return [
      {
        ...document,
        change,
        differences,
        ...(there === undefined ? {} : { etag: there.etag }),
        ...(publication === undefined ? {} : { publication }),
      },
    ];
  });
}

/** True when a step changes or publishes something. */
export function isEffective({ change, publication }: ApplyStep): boolean {
  return change !== 'unchanged' || publication !== undefined;
}

/** Returns undefined when the file matches the current version and there is no draft. */
function publicationOf(
  declared: Declaration,
  there: Found | undefined,
  change: ApplyStep['change'],
): ApplyStep['publication'] {
  const { draft, inForce } = there ?? {};
  if (change === 'unchanged' && draft === undefined) return undefined;
  const before = inForce === undefined ? [] : [asDeclared(declared, inForce)];
  const [published] = diffDeclarations(before, [asDeclared(declared, contentOf(declared))]);
  const differences = published?.differences ?? [];
  return change === 'unchanged' && draft !== undefined ? { differences, author: draft.author } : { differences };
}

function contentOf({ metadata, spec }: Declaration): Content {
  return { labels: metadata.labels ?? {}, spec };
}

/** Builds a document from stored content. An empty set of labels equals none. */
function asDeclared({ kind, metadata: { name } }: Declaration, { labels, spec }: Content): Declaration {
  const metadata = Object.keys(labels).length === 0 ? { name } : { name, labels };
  return { kind, metadata, spec } as Declaration;
}
