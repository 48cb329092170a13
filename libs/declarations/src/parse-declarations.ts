import type { FieldError, Json } from '@mayfly/kernel';
import { readDocument, type DocumentFault } from './document-faults.js';
import { dottedPath, pointerOf } from './document-path.js';
import type { Declaration, DeclarationKind } from './document.schema.js';
import { invalidDeclaration, refuseInvalid } from './invalid-declaration.js';
import { readYaml, type YamlDocument } from './yaml-reader.js';

const MAX_BYTES = 262_144;
const MAX_DOCUMENTS = 200;

/**
 * Reads a file of YAML documents. Throws `invalid_declaration` for any fault. Each of its `errors` has a JSON Pointer
 * into its document, and a detail that starts with `file:line: path:`. Never quotes a value.
 */
export function parseDeclarations(file: string, text: string): Declaration[] {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw invalidDeclaration(at(file, 1, `over ${String(MAX_BYTES)} bytes; use several files`));
  }
  const documents = readYaml(text);
  if (documents.length > MAX_DOCUMENTS) {
    throw invalidDeclaration(at(file, 1, `over ${String(MAX_DOCUMENTS)} documents; use several files`));
  }
  const read = documents.map((document) => readOne(file, document));
  refuseInvalid(read.flatMap(({ errors }) => errors));
  return read.flatMap(({ declarations }) => declarations);
}

/**
 * Reads one document that came as JSON. When the route takes one kind, `kind` names it. Throws `invalid_declaration`,
 * whose `errors` point into the value.
 */
export function parseDocument(value: Json, kind?: DeclarationKind): Declaration {
  const read = readDocument(value);
  if (read.faults === undefined) {
    if (kind === undefined || read.declaration.kind === kind) return read.declaration;
    throw invalidDeclaration({ pointer: '/kind', detail: `this route takes another kind; use \`${kind}\`` });
  }
  const [first, ...others] = read.faults;
  throw invalidDeclaration(pointed(first), others.map(pointed));
}

function pointed({ path, detail }: DocumentFault): FieldError {
  return { pointer: pointerOf(path), detail };
}

function readOne(file: string, document: YamlDocument) {
  const faults = document.faults.map((fault) => place(file, fault.line, fault.path, fault.detail));
  if (faults.length > 0) return { errors: faults, declarations: [] };
  const read = readDocument(document.value);
  if (read.faults === undefined) return { errors: [], declarations: [read.declaration] };
  const errors = read.faults.map(({ path, detail }) => place(file, document.lineOf(path), path, detail));
  return { errors, declarations: [] };
}

function place(file: string, line: number, path: readonly (string | number)[], detail: string): FieldError {
  return at(file, line, path.length === 0 ? detail : `${dottedPath(path)}: ${detail}`, pointerOf(path));
}

function at(file: string, line: number, detail: string, pointer = ''): FieldError {
  return { pointer, detail: `${file}:${String(line)}: ${detail}` };
}
