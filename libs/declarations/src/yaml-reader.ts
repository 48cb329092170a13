import type { Json } from '@mayfly/kernel';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type Node } from 'yaml';
import { pointerOf, type DocumentPath } from './document-path.js';

const MAX_DEPTH = 32;

/** A fault in a YAML text, such as an alias; lines count from 1. */
export interface YamlFault {
  readonly line: number;
  readonly path: DocumentPath;
  readonly detail: string;
}

/** One YAML document as JSON. */
export interface YamlDocument {
  readonly value: Json;
  readonly faults: readonly YamlFault[];
  /** Returns the line of a value, or of its nearest ancestor with a known line. Lines count from 1. */
  lineOf(path: DocumentPath): number;
}

/**
 * Reads the documents of a text as YAML 1.2 core, limited to JSON: no aliases, no tags, no duplicate keys, no keys that
 * are not text, no number that JSON rounds. Skips empty documents. Never throws.
 */
export function readYaml(text: string): YamlDocument[] {
  const lines = new LineCounter();
  try {
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      version: '1.2',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      uniqueKeys: false, // the parser's check is quadratic in the number of keys
      prettyErrors: false,
      logLevel: 'silent',
    });
    return [...documents].filter(hasContent).map((document) => new YamlReader(lines).read(document));
  } catch {
    // The parser recurses, so a text of brackets alone overflows the stack.
    const fault = { line: 1, path: [], detail: 'nested too deeply or not YAML; correct it' };
    return [{ value: null, faults: [fault], lineOf: () => 1 }];
  }
}

function hasContent(document: Document): boolean {
  const { contents, errors } = document;
  return errors.length > 0 || !(contents === null || (isScalar(contents) && contents.value === null));
}

class YamlReader {
  private readonly faults: YamlFault[] = [];
  private readonly linesByPointer = new Map<string, number>();

  constructor(private readonly lines: LineCounter) {}

  read(document: Document): YamlDocument {
    for (const { message, pos } of [...document.errors, ...document.warnings]) {
      // The parser may append the faulty text to its message; that text can be a secret.
      const detail = message.charAt(0).toLowerCase() + message.slice(1).replace(/: .*$/s, '');
      this.faults.push({ line: this.lines.linePos(pos[0]).line, path: [], detail });
    }
    this.note([], document.contents);
    const value = this.faults.length > 0 ? null : this.readNode(document.contents, []);
    return { value, faults: this.faults, lineOf: (path) => this.lineOf(path) };
  }

  private readNode(node: unknown, path: DocumentPath): Json {
    if (path.length > MAX_DEPTH)
      return this.refuse(node, path, `nested too deeply; use at most ${String(MAX_DEPTH)} levels`);
    if (isAlias(node)) return this.refuse(node, path, 'write the value out; YAML aliases are refused');
    if (isMap(node)) return this.readMap(node.items, path);
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const place = [...path, index];
        this.note(place, item);
        return this.readNode(item, place);
      });
    }
    return isScalar(node) ? this.readScalar(node.value, node, path) : null;
  }

  private readMap(pairs: readonly { readonly key: unknown; readonly value: unknown }[], path: DocumentPath): Json {
    const members = new Map<string, Json>();
    for (const { key, value } of pairs) {
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.refuse(key, path, 'use texts as keys');
        continue;
      }
      const place = [...path, key.value];
      this.note(place, key);
      if (members.has(key.value)) this.refuse(key, place, 'this key appears twice; keep one');
      members.set(key.value, this.readNode(value, place));
    }
    return Object.fromEntries(members);
  }

  private readScalar(value: unknown, node: Node, path: DocumentPath): Json {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number' && isExact(value)) return value;
    return this.refuse(node, path, 'not a number that JSON can hold; quote it if it is a text');
  }

  private refuse(node: unknown, path: DocumentPath, detail: string): Json {
    this.faults.push({ line: this.lineAt(node) ?? this.lineOf(path), path, detail });
    return null;
  }

  private note(path: DocumentPath, node: unknown): void {
    const line = this.lineAt(node);
    if (line !== undefined) this.linesByPointer.set(pointerOf(path), line);
  }

  private lineAt(node: unknown): number | undefined {
    const start = (node as Partial<Node> | null)?.range?.[0];
    return start === undefined ? undefined : this.lines.linePos(start).line;
  }

  private lineOf(path: DocumentPath): number {
    const known = this.linesByPointer.get(pointerOf(path));
    return known ?? (path.length === 0 ? 1 : this.lineOf(path.slice(0, -1)));
  }
}

function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}
