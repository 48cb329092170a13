import type { Json } from '@mayfly/kernel';
import { findUnsafe } from '@mayfly/templates';
import type { z } from 'zod';
import { suggestKey } from './did-you-mean.js';
import { pathOf, type DocumentPath } from './document-path.js';
import { DECLARATION_KINDS, DOCUMENT_SCHEMAS, type Declaration, type DeclarationKind } from './document.schema.js';

const BOUNDS = { maxDepth: 32, maxNodes: 20_000 };

/** One fault of a document and the change to make there. Quotes keys, never values. */
export interface DocumentFault {
  readonly path: DocumentPath;
  readonly detail: string;
}

type Faults = readonly [DocumentFault, ...DocumentFault[]];

/** A document without faults, or its faults: at least one. */
export type ReadDocument =
  { readonly declaration: Declaration; readonly faults?: undefined } | { readonly faults: Faults };

/** Reads one document by the schema of its kind, or returns all of its faults. */
export function readDocument(value: Json): ReadDocument {
  const unsafe = findUnsafe(value, BOUNDS);
  if (unsafe !== undefined) return { faults: [{ path: pathOf(unsafe.pointer), detail: unsafe.detail }] };
  const kind = (value as { readonly kind?: Json } | null)?.kind;
  if (!isKind(kind)) return { faults: [{ path: ['kind'], detail: `use one of ${DECLARATION_KINDS.join(', ')}` }] };
  const schema: z.ZodType<Declaration> = DOCUMENT_SCHEMAS[kind];
  const parsed = schema.safeParse(value);
  if (parsed.success) return { declaration: parsed.data };
  // a failed parse has at least one issue, and each issue is at least one fault
  return { faults: parsed.error.issues.flatMap((issue) => describeIssue(issue, schema, value)) as unknown as Faults };
}

function isKind(kind: Json | undefined): kind is DeclarationKind {
  return DECLARATION_KINDS.some((known) => known === kind);
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType, value: Json): DocumentFault[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], detail: describeUnknown(suggestKey(schema, path, key)) }));
  }
  const isMissing = valueAt(value, path) === undefined;
  return [{ path, detail: isMissing ? 'required; add it' : inHouseStyle(issue.message) }];
}

function valueAt(value: Json, path: DocumentPath): Json | undefined {
  return path.reduce<Json | undefined>(
    (inner, step) => (inner as Partial<Record<string | number, Json>> | null | undefined)?.[step],
    value,
  );
}

function describeUnknown(meant: string | undefined): string {
  return meant === undefined ? 'unknown key; leave it out' : `unknown key; did you mean \`${meant}\`?`;
}

function inHouseStyle(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replaceAll('"', '`');
}
