import type { Json, JsonObject } from '@mayfly/kernel';
import { holeRule, type HoleRule } from './hole.js';
import { below } from './json-pointer.js';
import type { ParameterSchema } from './parameter-schema.js';
import { finding, type Finding, type RuleId } from './rule.js';
import type { Hole, ScopeNode } from './scope-node.js';
import { findUnsafe, isObject } from './tree-bounds.js';

const MAX_SCOPE_DEPTH = 16;
const BOUNDS = { maxDepth: MAX_SCOPE_DEPTH, maxNodes: 2000 };
const NOTHING: ScopeNode = { kind: 'fixed', value: '' };

/** Characters that no free hole can hold, so only the author can have written them. */
const DELIMITER = /[/:.,;@=#|&]/;

export interface ReadScope {
  readonly root: ScopeNode;
  readonly findings: readonly Finding[];
}

/**
 * Parses a scope tree. A hole is an object with the one key `$param` (a parameter's name) or `$join` (a list of texts
 * and holes, joined to one text); every other key that starts with `$` is an error. Pointers of findings start at
 * `pointer`.
 */
export function readScope(tree: Json, parameters: ParameterSchema, pointer = ''): ReadScope {
  const unsafe = findUnsafe(tree, BOUNDS);
  if (unsafe !== undefined) {
    const rule = /^(nested|too many)/.test(unsafe.detail) ? 'MF209' : 'MF205';
    return { root: NOTHING, findings: [finding(rule, pointer + unsafe.pointer, unsafe.detail)] };
  }
  const parser = new ScopeParser(parameters);
  if (!isObject(tree) || '$param' in tree || '$join' in tree) {
    parser.add('MF202', pointer, 'a scope must be an object with at least one fixed key; add one');
  }
  const root = parser.read(tree, pointer);
  return { root, findings: parser.findings };
}

class ScopeParser {
  readonly findings: Finding[] = [];

  constructor(private readonly parameters: ParameterSchema) {}

  add(rule: RuleId, pointer: string, detail: string): ScopeNode {
    this.findings.push(finding(rule, pointer, detail));
    return NOTHING;
  }

  read(value: Json, pointer: string): ScopeNode {
    if (typeof value === 'string') return this.readText(value, pointer);
    if (value === null) return this.add('MF204', pointer, 'write a value or leave the key out');
    if (typeof value === 'number') return this.readNumber(value, pointer);
    if (typeof value !== 'object') return { kind: 'fixed', value };
    if (Object.keys(value).length === 0)
      return this.add(
        'MF204',
        pointer,
        'an empty object or list can grant too much; add a member or leave the key out',
      );
    if (!isObject(value)) {
      const items = value;
      return { kind: 'list', items: items.map((item, index) => this.read(item, below(pointer, index))) };
    }
    return Object.keys(value).some((key) => key.startsWith('$'))
      ? this.readHoleOrJoin(value, pointer)
      : this.readMap(value, pointer);
  }

  private readText(text: string, pointer: string): ScopeNode {
    if (text === '')
      return this.add('MF204', pointer, 'an empty text can grant too much; write a value or leave the key out');
    if (/\p{C}/u.test(text)) return this.add('MF205', pointer, 'use printable characters only');
    return { kind: 'fixed', value: text };
  }

  /** Refuses numbers beyond 2^53: JSON parsing has rounded them, so they may name another object. */
  private readNumber(value: number, pointer: string): ScopeNode {
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return { kind: 'fixed', value };
    return this.add('MF205', pointer, 'JSON does not keep a number beyond 2^53 exactly; write it as a text');
  }

  private readMap(value: JsonObject, pointer: string): ScopeNode {
    const members = Object.entries(value).map(([key, member]) => {
      const place = below(pointer, key);
      if (key === '' || /\p{C}/u.test(key)) this.add('MF205', place, 'use printable characters in keys');
      return [key, this.read(member ?? null, place)] as const;
    });
    return { kind: 'map', members };
  }

  private readHoleOrJoin(value: JsonObject, pointer: string): ScopeNode {
    const { $param, $join } = value;
    if (Object.keys(value).length === 1) {
      if (typeof $param === 'string') return this.readHole($param, pointer);
      if (Array.isArray($join)) return this.readJoin($join as readonly Json[], below(pointer, '$join'));
    }
    return this.add(
      'MF202',
      pointer,
      'write a hole as `{$param: name}` or `{$join: [texts and holes]}`, without other keys',
    );
  }

  private readHole(parameter: string, pointer: string): ScopeNode {
    const rule: HoleRule | string = holeRule(this.parameters, parameter);
    if (typeof rule !== 'string') return { kind: 'hole', parameter, rule };
    return this.add(this.parameters.property(parameter) === undefined ? 'MF201' : 'MF203', pointer, rule);
  }

  private readJoin(parts: readonly Json[], pointer: string): ScopeNode {
    const read = parts.map((part, index) => this.readPart(part, below(pointer, index)));
    if (read.length === 0) return this.add('MF202', pointer, 'join at least one text or hole');
    read.forEach((part, index) => {
      if (typeof part === 'string' || part.rule.kind === 'listed') return;
      if (isFence(read[index - 1], -1) && isFence(read[index + 1], 0)) return;
      const detail = `separate \`${part.parameter}\` with one of / : . , ; @ = # | & on both sides`;
      this.add('MF206', below(pointer, index), detail);
    });
    return { kind: 'join', parts: read };
  }

  private readPart(part: Json, pointer: string): string | Hole {
    const node =
      isObject(part) && '$join' in part
        ? this.add('MF202', pointer, 'a join cannot contain a join; write its parts out')
        : this.read(part, pointer);
    if (node.kind === 'hole') return node;
    if (node.kind === 'fixed' && typeof node.value === 'string') return node.value;
    this.add('MF202', pointer, 'a join may contain only texts and holes; use those');
    return '';
  }
}

/**
 * True when a free hole may stand beside this neighbour: an end of the join, or fixed text whose nearest character is a
 * delimiter.
 */
function isFence(neighbour: string | Hole | undefined, nearest: 0 | -1): boolean {
  if (neighbour === undefined) return true;
  return typeof neighbour === 'string' && DELIMITER.test(neighbour.at(nearest) ?? '');
}
