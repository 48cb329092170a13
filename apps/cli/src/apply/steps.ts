import { diffDeclarations, type Declaration, type DeclarationChange } from '@mayfly/declarations';
import type { Content, Found } from './declarations.client.js';
import { titleOf, type DeclaredInFile } from './declared-file.js';

type Difference = DeclarationChange['differences'][number];

/** What applying comes to for one document. */
export interface Step {
  readonly file: string;
  readonly declared: Declaration;
  readonly change: DeclarationChange['change'];
  readonly differences: readonly Difference[];
  /** of what is there; undefined: nothing is */
  readonly etag?: string;
  /** what publishing puts in place of what is in force; undefined: nothing is to be published */
  readonly publication?: { readonly differences: readonly Difference[]; readonly author?: string };
}

/** The steps in the order in which they are taken: what is named comes before what names it. Pure. */
export function stepsOf(
  documents: readonly DeclaredInFile[],
  found: ReadonlyMap<string, Found>,
  publish: boolean,
): Step[] {
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

/** Whether a step changes anything. */
export function isEffective({ change, publication }: Step): boolean {
  return change !== 'unchanged' || publication !== undefined;
}

/** Nothing is to be published where the file says what is in force and no draft waits. */
function publicationOf(declared: Declaration, there: Found | undefined, change: Step['change']): Step['publication'] {
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

/** A document with what is there as its content. No labels are the same as an empty set of them. */
function asDeclared({ kind, metadata: { name } }: Declaration, { labels, spec }: Content): Declaration {
  const metadata = Object.keys(labels).length === 0 ? { name } : { name, labels };
  return { kind, metadata, spec } as Declaration;
}
