import { diffSpecs, type Difference } from '@mayfly/templates';
import type { Json } from '@mayfly/kernel';
import { inApplyOrder, type Declaration, type DeclarationKind } from './document.schema.js';

/** What applying one document would change; `differences` point into the document. */
export interface DeclarationChange {
  readonly kind: DeclarationKind;
  readonly name: string;
  readonly change: 'create' | 'update' | 'unchanged';
  readonly differences: readonly Difference[];
}

/**
 * What applying `after` would change in `before`, in the order of applying. Documents that only `before` has are left
 * alone: leaving one out of a file takes nothing away.
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

/** A declaration was read from JSON or YAML and holds nothing else, but some of its types do not say so. */
function asJson(declared: Declaration): Json {
  return declared as unknown as Json;
}
