import type { Json, JsonObject } from '@mayfly/kernel';
import { findPatternFault, MAX_MATCHED_LENGTH } from './anchored-pattern.js';
import { below } from './json-pointer.js';
import { finding, type Finding, type RuleId } from './rule.js';
import { findUnsafe, isObject } from './tree-bounds.js';

const ANNOTATIONS = ['title', 'description', 'examples'];
const NUMERIC = ['minimum', 'maximum', 'multipleOf', 'enum', 'const'];
const KEYWORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['object', ['properties', 'required', 'additionalProperties']],
  ['array', ['items', 'minItems', 'maxItems', 'uniqueItems']],
  ['string', ['minLength', 'maxLength', 'pattern', 'enum', 'const']],
  ['integer', NUMERIC],
  ['number', NUMERIC],
  ['boolean', []],
]);
const PARAMETER_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const MAX_MEMBERS = 256;
const MAX_ITEMS = 100;

/**
 * Returns the faults of an author's JSON Schema (2020-12). Templates allow a closed subset: typed, bounded, without
 * references or combinators, so that readers see directly what it accepts.
 */
export function checkParameterSchema(schema: Json, pointer = ''): Finding[] {
  const unsafe = findUnsafe(schema, { maxDepth: 16, maxNodes: 2000 });
  if (unsafe !== undefined) return [finding('MF107', pointer + unsafe.pointer, unsafe.detail)];
  if (!isObject(schema) || schema.type !== 'object') {
    return [finding('MF101', pointer, 'the parameters must be an object; write `type: object`')];
  }
  const { $schema, ...root } = schema;
  const rules = new ParameterRules();
  if ($schema !== undefined && $schema !== DIALECT) rules.add('MF102', below(pointer, '$schema'), `use \`${DIALECT}\``);
  rules.check(root, pointer);
  return rules.found;
}

class ParameterRules {
  readonly found: Finding[] = [];

  add(rule: RuleId, pointer: string, detail: string): void {
    this.found.push(finding(rule, pointer, detail));
  }

  check(schema: Json | undefined, pointer: string): void {
    if (!isObject(schema)) {
      this.add('MF102', pointer, 'write a schema object');
      return;
    }
    const type = schema.type;
    const listed = schema.enum !== undefined || schema.const !== undefined;
    if (type === undefined && !listed) this.add('MF103', pointer, 'write a `type`, an `enum` or a `const`');
    else if (type !== undefined && !(typeof type === 'string' && KEYWORDS.has(type))) {
      this.add('MF102', below(pointer, 'type'), `use one of ${[...KEYWORDS.keys()].join(', ')}`);
    } else this.checkTyped(schema, type, pointer);
  }

  private checkTyped(schema: JsonObject, type: string | undefined, pointer: string): void {
    this.checkKeywords(schema, type, pointer);
    if (type === 'object') this.checkObject(schema, pointer);
    if (type === 'array') this.checkArray(schema, pointer);
    if (schema.enum !== undefined || schema.const !== undefined) this.checkMembers(schema, pointer);
    else if (type === 'string') this.checkString(schema, pointer);
    else if (type === 'integer' || type === 'number') this.checkNumber(schema, pointer);
    this.checkPattern(schema, pointer);
    this.checkStep(schema, pointer);
  }

  private checkPattern({ pattern }: JsonObject, pointer: string): void {
    const fault = typeof pattern === 'string' ? findPatternFault(pattern) : undefined;
    if (fault !== undefined) this.add('MF104', below(pointer, 'pattern'), fault);
  }

  private checkStep({ multipleOf }: JsonObject, pointer: string): void {
    if (typeof multipleOf !== 'number' || multipleOf <= Number.MAX_SAFE_INTEGER) return;
    this.add('MF103', below(pointer, 'multipleOf'), 'use a step under 2^53; JSON does not keep a larger one exactly');
  }

  private checkKeywords(schema: JsonObject, type: string | undefined, pointer: string): void {
    const known = ['type', ...ANNOTATIONS, ...(type === undefined ? ['enum', 'const'] : (KEYWORDS.get(type) ?? []))];
    for (const keyword of Object.keys(schema).filter((key) => !known.includes(key))) {
      this.add(
        'MF102',
        below(pointer, keyword),
        `\`${keyword.slice(0, 64)}\` is not supported here; use ${known.join(', ')}`,
      );
    }
  }

  private checkObject(schema: JsonObject, pointer: string): void {
    if (schema.additionalProperties !== false) {
      this.add('MF101', pointer, 'close the object with `additionalProperties: false`');
    }
    const properties = schema.properties ?? {};
    if (!isObject(properties)) {
      this.add('MF102', below(pointer, 'properties'), 'write a schema for each parameter');
      return;
    }
    for (const [name, member] of Object.entries(properties)) {
      const place = below(below(pointer, 'properties'), name);
      if (!PARAMETER_NAME.test(name) || name in Object.prototype) {
        this.add('MF105', place, 'name a parameter with a letter, then letters, digits, `_` or `-`');
      }
      this.check(member, place);
    }
  }

  private checkArray(schema: JsonObject, pointer: string): void {
    const { maxItems } = schema;
    if (!(typeof maxItems === 'number' && maxItems <= MAX_ITEMS)) {
      this.add('MF103', pointer, `bound the list with \`maxItems\`, at most ${String(MAX_ITEMS)}`);
    }
    this.check(schema.items, below(pointer, 'items'));
  }

  private checkString(schema: JsonObject, pointer: string): void {
    const { maxLength, pattern } = schema;
    const bounded = maxLength === undefined ? pattern !== undefined : Number(maxLength) <= MAX_MATCHED_LENGTH;
    if (bounded) return;
    const most = String(MAX_MATCHED_LENGTH);
    this.add('MF103', pointer, `bound the text with \`enum\`, \`pattern\` or a \`maxLength\` of at most ${most}`);
  }

  private checkNumber(schema: JsonObject, pointer: string): void {
    if (Number.isSafeInteger(schema.minimum) && Number.isSafeInteger(schema.maximum)) return;
    this.add('MF103', pointer, 'bound the number with whole `minimum` and `maximum`');
  }

  private checkMembers(schema: JsonObject, pointer: string): void {
    const members = 'enum' in schema ? schema.enum : [schema.const ?? null];
    const place = below(pointer, 'enum' in schema ? 'enum' : 'const');
    if (!Array.isArray(members) || members.length === 0 || members.length > MAX_MEMBERS) {
      this.add('MF106', place, `list 1 to ${String(MAX_MEMBERS)} values`);
      return;
    }
    const sound = (members as readonly Json[]).every((member) => isListable(member, schema.type));
    if (!sound || new Set(members).size !== members.length) {
      this.add('MF106', place, 'list distinct texts (1 to 256 printable characters) or whole numbers of the `type`');
    }
  }
}

function isListable(member: Json, type: Json | undefined): boolean {
  if (typeof member === 'number') return Number.isSafeInteger(member) && type !== 'string';
  if (typeof member !== 'string' || (type !== undefined && type !== 'string')) return false;
  return member.length > 0 && member.length <= MAX_MATCHED_LENGTH && !/\p{C}/u.test(member);
}
