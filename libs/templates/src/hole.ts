import type { Json, JsonObject } from '@mayfly/kernel';
import type { ParameterSchema } from './parameter-schema.js';

/**
 * The values that one hole accepts. The rule, in full:
 * - a parameter with an `enum` or a `const` fills in exactly one of the values that the author wrote;
 * - any other parameter is free and fills in one segment: ASCII letters, digits, `_` and `-`, a letter or digit first,
 *   at most 64 characters (a whole number from 0 counts as one). A segment holds no wildcard, variable, separator or
 *   escape.
 * The parameter must be required, and a text or a whole number: lists, objects, fractions and booleans fill no hole.
 */
export type HoleRule =
  | { readonly kind: 'listed'; readonly members: readonly (string | number)[] }
  | { readonly kind: 'free'; readonly type: 'string' | 'integer' };

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Returns the rule of a hole with this parameter, or the reason (a text) why the parameter can fill no hole. */
export function holeRule(parameters: ParameterSchema, name: string): HoleRule | string {
  const schema = parameters.property(name);
  if (schema === undefined) return `there is no parameter \`${name.slice(0, 64)}\``;
  if (!parameters.isRequired(name)) return `\`${name}\` fills a hole; list it in \`required\``;
  const members = listedMembers(schema);
  if (members !== undefined) return { kind: 'listed', members };
  const type = schema.type;
  if (type === 'string' || type === 'integer') return { kind: 'free', type };
  return `\`${name}\` cannot fill a hole; use a text or a whole number`;
}

/** Returns the values that the author listed for this parameter, or undefined without a list. */
function listedMembers(schema: JsonObject): readonly (string | number)[] | undefined {
  const members = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  return members as readonly (string | number)[] | undefined;
}

/** True when the value may fill a hole of this rule. */
export function fitsHole(rule: HoleRule, value: Json | undefined): value is string | number {
  if (rule.kind === 'listed') return rule.members.some((member) => member === value);
  if (rule.type === 'integer') return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
  return typeof value === 'string' && SEGMENT.test(value);
}

/** Returns the text for a caller whose value does not fit a hole of this rule. */
export function describeHole(rule: HoleRule): string {
  if (rule.kind === 'listed') return 'use one of the values that the template lists';
  if (rule.type === 'integer') return 'use a whole number from 0';
  return 'use 1 to 64 letters, digits, `_` and `-`, a letter or digit first';
}

/** Returns the value with the most bytes of JSON that fits a hole of this rule. */
export function longestValue(rule: HoleRule): string | number {
  if (rule.kind === 'free') return rule.type === 'integer' ? Number.MAX_SAFE_INTEGER : 'a'.repeat(64);
  const bytes = (value: string | number) => Buffer.byteLength(JSON.stringify(value));
  return rule.members.reduce((longest, member) => (bytes(member) > bytes(longest) ? member : longest));
}
