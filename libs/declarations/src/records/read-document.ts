import { Problem, type Json } from '@mayfly/kernel';
import type { DeclarationKind, DeclarationOf } from '../document.schema.js';
import { parseDocument } from '../parse-declarations.js';

/** Reads the document of a request; `name` is the one in the address. Throws `invalid_declaration`. */
export function readDocument<Kind extends DeclarationKind>(
  kind: Kind,
  body: Json | undefined,
  name?: string,
): DeclarationOf<Kind> {
  const declared = parseDocument(body ?? null, kind) as DeclarationOf<Kind>;
  if (name === undefined || declared.metadata.name === name) return declared;
  const detail = `\`metadata.name\` differs from the name in the address; use \`${name}\``;
  throw new Problem('invalid_declaration', detail, { errors: [{ pointer: '/metadata/name', detail }] });
}
