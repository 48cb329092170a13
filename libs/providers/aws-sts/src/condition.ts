import { isIP } from 'node:net';
import { inRightCase, kindOfKey, type KeyKind } from './condition-keys.js';

/** operator → key → value or values */
export type Condition = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** The operators of IAM (JSON policy reference, "Condition operators") by what they can compare. */
const OPERATORS: readonly (readonly [pattern: RegExp, kinds: readonly KeyKind[]])[] = [
  [/^String(Not)?(Equals(IgnoreCase)?|Like)$/, ['text', 'arn']],
  [/^Numeric((Not)?Equals|(LessThan|GreaterThan)(Equals)?)$/, ['number']],
  [/^Date((Not)?Equals|(LessThan|GreaterThan)(Equals)?)$/, ['date']],
  [/^Bool$/, ['flag']],
  [/^(Not)?IpAddress$/, ['address']],
  [/^Arn(Not)?(Equals|Like)$/, ['arn']],
];

const VALUES: Readonly<Record<KeyKind, readonly [check: (value: string) => boolean, say: string]>> = {
  text: [() => true, ''],
  arn: [(value) => value === '*' || value.startsWith('arn:'), 'an ARN'],
  date: [isDate, 'a time in UTC such as `2026-01-31T12:00:00Z`; with any other zone some engines never match'],
  flag: [(value) => value === 'true' || value === 'false', '`true` or `false`, as a text'],
  address: [isCidr, 'an IP address or a CIDR block'],
  number: [(value) => /^-?\d{1,15}(\.\d{1,6})?$/.test(value), 'a number, as a text'],
};

/** What is wrong with a statement's condition, or undefined. The texts quote operators and keys, never values. */
export function faultOfCondition(condition: Condition, effect: 'Allow' | 'Deny'): string | undefined {
  const faults = Object.entries(condition).map(([operator, keys]) => faultOfOperator(operator, keys, effect));
  return faults.find((fault) => fault !== undefined);
}

function faultOfOperator(operator: string, keys: Condition[string], effect: 'Allow' | 'Deny'): string | undefined {
  const [, quantifier, bare = '', ifExists] = /^(ForAllValues:|ForAnyValue:)?(.*?)(IfExists)?$/.exec(operator) ?? [];
  const kinds = operator === 'Null' ? [] : OPERATORS.find(([pattern]) => pattern.test(bare))?.[1];
  if (kinds === undefined) return `\`${operator.slice(0, 64)}\` is no condition operator`;
  if (effect === 'Allow' && (quantifier === 'ForAllValues:' || ifExists !== undefined)) {
    return `\`${operator}\` also allows requests that lack the key; use the operator without it`;
  }
  const faults = Object.entries(keys).map(([key, values]) => faultOfKey(bare, kinds, key, [values].flat()));
  return faults.find((fault) => fault !== undefined);
}

function faultOfKey(
  operator: string,
  kinds: readonly KeyKind[],
  key: string,
  values: readonly string[],
): string | undefined {
  const kind = kindOfKey(key);
  if (kind === undefined) return unknownKey(key);
  if (operator === 'Null') return VALUES.flag[0](values[0] ?? '') ? undefined : '`Null` takes `true` or `false`';
  if (!kinds.includes(kind)) return `\`${operator}\` cannot compare \`${key}\``;
  const [check, say] = operator.startsWith('String') ? VALUES.text : VALUES[kind];
  return values.every((value) => check(value)) ? undefined : `\`${key}\` takes ${say}`;
}

function unknownKey(key: string): string {
  const right = inRightCase(key);
  if (right !== undefined) return `write the condition key \`${key}\` as \`${right}\``;
  return `\`${key.slice(0, 64)}\` is no condition key that is known here; an unknown one would never match`;
}

function isDate(value: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value) && !Number.isNaN(Date.parse(value));
}

function isCidr(value: string): boolean {
  const [address = '', bits, ...more] = value.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}
