import type { FieldError, Json } from '@mayfly/kernel';
import { readDocument } from './document-faults.js';
import { dottedPath, pointerOf } from './document-path.js';
import type { Declaration, DeclarationKind } from './document.schema.js';
import { invalidDeclaration } from './invalid-declaration.js';
import { readYaml, type YamlDocument } from './yaml-reader.js';

const MAX_BYTES = 262_144;
const MAX_DOCUMENTS = 200;

/**
 * Reads a file of YAML documents. Throws `invalid_declaration` for any fault. Each of its `errors` has a JSON Pointer
 * into its document, and a detail that starts with `file:line: path:`. Never quotes a value.
 */
export function parseDeclarations(file: string, text: string): Declaration[] {
  if (Buffer.byteLength(text) > MAX_BYTES) refuse([at(file, 1, `over ${String(MAX_BYTES)} bytes; split the file`)]);
  const documents = readYaml(text);
  if (documents.length > MAX_DOCUMENTS) {
    refuse([at(file, 1, `over ${String(MAX_DOCUMENTS)} documents; split the file`)]);
  }
  const read = documents.map((document) => readOne(file, document));
  refuse(read.flatMap(({ errors }) => errors));
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
    throw invalidDeclaration([{ pointer: '/kind', detail: `use \`${kind}\` here` }]);
  }
  throw invalidDeclaration(read.faults.map(({ path, detail }) => ({ pointer: pointerOf(path), detail })));
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

function refuse(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidDeclaration(errors);
}
