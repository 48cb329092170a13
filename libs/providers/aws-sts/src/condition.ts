import { isIP } from 'node:net';
import type { KeyKind } from './condition-keys.data.js';
import { kindsOfKey, serviceOfKey, suggestedKey } from './condition-keys.js';

/** operator → key → value or values */
export type Condition = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** The statement around a condition: its effect, and the services whose keys the condition can use. */
export interface ConditionPlace {
  readonly effect: 'Allow' | 'Deny';
  /** the services of the statement's actions, in lower case; `*` for all */
  readonly services: readonly string[];
}

interface Operator {
  readonly name: string;
  /** the kinds of keys that the operator can compare */
  readonly kinds: readonly KeyKind[];
  readonly isValue: (value: string) => boolean;
  readonly wanted: string;
}

const DATE = 'a time in UTC such as `2026-01-31T12:00:00Z`; with another zone some engines never match';
const isFlag = (value: string): boolean => value === 'true' || value === 'false';

/**
 * The condition operators of IAM (JSON policy reference, "Condition operators"), each with the keys and values that it
 * can compare.
 */
const OPERATORS: readonly (readonly [pattern: RegExp, operator: Omit<Operator, 'name'>])[] = [
  [/^String(Not)?(Equals(IgnoreCase)?|Like)$/, { kinds: ['text', 'arn'], isValue: () => true, wanted: '' }],
  [
    /^Numeric((Not)?Equals|(LessThan|GreaterThan)(Equals)?)$/,
    { kinds: ['number'], isValue: (value) => /^-?\d{1,15}(\.\d{1,6})?$/.test(value), wanted: 'a number' },
  ],
  [/^Date((Not)?Equals|(LessThan|GreaterThan)(Equals)?)$/, { kinds: ['date'], isValue: isDate, wanted: DATE }],
  [/^Bool$/, { kinds: ['flag'], isValue: isFlag, wanted: '`true` or `false`' }],
  [/^(Not)?IpAddress$/, { kinds: ['address'], isValue: isCidr, wanted: 'an IP address or a CIDR block' }],
  [
    /^Arn(Not)?(Equals|Like)$/,
    { kinds: ['arn'], isValue: (value) => value === '*' || value.startsWith('arn:'), wanted: 'an ARN' },
  ],
  [/^Null$/, { kinds: [], isValue: isFlag, wanted: '`true` or `false`, whether the key is absent' }],
];

/**
 * Returns the first fault of a statement's condition, or undefined. The texts quote operators and keys, never values.
 */
export function faultOfCondition(condition: Condition, place: ConditionPlace): string | undefined {
  const faults = Object.entries(condition).map(([operator, keys]) => faultOfOperator(operator, keys, place));
  return faults.find((fault) => fault !== undefined);
}

function faultOfOperator(text: string, keys: Condition[string], place: ConditionPlace): string | undefined {
  const name = text.replace(/^(ForAllValues:|ForAnyValue:)/, '').replace(/IfExists$/, '');
  const found = OPERATORS.find(([pattern]) => pattern.test(name))?.[1];
  const isNullOfMore = name === 'Null' && text !== name;
  if (found === undefined || isNullOfMore)
    return `\`${text.slice(0, 64)}\` is not a condition operator; use one of IAM`;
  if (place.effect === 'Allow' && /^ForAllValues:|IfExists$/.test(text)) {
    return `\`${text}\` also allows requests that lack the key; use the operator without it`;
  }
  const faults = Object.entries(keys).map(([key, values]) =>
    faultOfKey({ name, ...found }, key, [values].flat(), place),
  );
  return faults.find((fault) => fault !== undefined);
}

function faultOfKey(
  operator: Operator,
  key: string,
  values: readonly string[],
  place: ConditionPlace,
): string | undefined {
  const kinds = kindsOfKey(key);
  if (kinds === undefined) {
    const fault = faultOfUnlisted(operator, key, values, place);
    if (fault !== undefined) return fault;
  } else if (operator.name !== 'Null' && !operator.kinds.some((kind) => kinds.has(kind))) {
    return `\`${operator.name}\` cannot compare \`${key}\``;
  }
  if (!values.every((value) => operator.isValue(value))) return `\`${key}\` takes ${operator.wanted}`;
  // YAML reads an account that starts with 0 as a number without it
  const isAccount = /^[a-z0-9-]+:\w*Account$/.test(key) && operator.name.startsWith('String');
  const isShort = isAccount && values.some((value) => /^\d{1,11}$/.test(value));
  return isShort ? `\`${key}\` takes the 12 digits of an account, in quotes` : undefined;
}

/**
 * Returns the fault of a key that is not on the list, or undefined. Accepts a key of the statement's own services where
 * a wrong name would allow nothing, because it never matches. Refuses it in a Deny, or with an operator that holds when
 * the key is absent: there a wrong name would remove the restriction.
 */
function faultOfUnlisted(
  { name }: Operator,
  key: string,
  values: readonly string[],
  { effect, services }: ConditionPlace,
): string | undefined {
  const suggestion = suggestedKey(key);
  const shown = key.slice(0, 64);
  if (suggestion !== undefined && suggestion !== key)
    return `write the condition key \`${shown}\` as \`${suggestion}\``;
  const service = serviceOfKey(key);
  if (service === undefined || service === 'aws') {
    return `\`${shown}\` is not a condition key of AWS and would never match; correct it`;
  }
  if (!services.includes('*') && !services.includes(service)) {
    return `\`${shown}\` is a condition key of \`${service}\`, and the statement has actions of ${services.join(', ')}; it would never match, so leave it out`;
  }
  if (effect === 'Allow' && !holdsWithoutKey(name, values)) return undefined;
  return `\`${shown}\` is not a known condition key, and a wrong name would have no effect here; use it in an Allow, with an operator that needs the key`;
}

/** Returns true when a condition holds although the key is absent. */
function holdsWithoutKey(operator: string, values: readonly string[]): boolean {
  return operator.includes('Not') || (operator === 'Null' && values.some((value) => value !== 'false'));
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
