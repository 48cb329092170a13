import { diffSpecs, type Difference } from '@mayfly/templates';
import type { Json } from '@mayfly/kernel';
import { inApplyOrder, type Declaration, type DeclarationKind } from './document.schema.js';

/** The change that one document makes when it is applied; `differences` point into the document. */
export interface DeclarationChange {
  readonly kind: DeclarationKind;
  readonly name: string;
  readonly change: 'create' | 'update' | 'unchanged';
  readonly differences: readonly Difference[];
}

/**
 * Returns the changes that applying `after` makes to `before`, in the order of applying. Ignores documents that only
 * `before` has: applying a file never deletes a document that it leaves out.
 */
export function diffDeclarations(before: readonly Declaration[], after: readonly Declaration[]): DeclarationChange[] {
  const known = new Map(before.map((declared) => [keyOf(declared), declared]));
  return inApplyOrder(after).map((declared) => {
    const { kind, metadata } = declared;
    const old = known.get(keyOf(declared));
    const differences = old === undefined ? [] : diffSpecs(asJson(old), asJson(declared));
    const change = old === undefined ? 'create' : differences.length > 0 ? 'update' : 'unchanged';
    return { kind, name: metadata.name, change, differences };
  });
}

function keyOf({ kind, metadata }: Declaration): string {
  return `${kind}/${metadata.name}`;
}

/** A declaration is read from JSON or YAML and holds only JSON, although some of its types do not say so. */
function asJson(declared: Declaration): Json {
  return declared as unknown as Json;
}
