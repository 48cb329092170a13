import { BlockList, isIP } from 'node:net';
import { AwsError } from './answers.js';

/** An accepted policy document. */
export interface PolicyDocument {
  readonly Statement: readonly Statement[];
}

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal?: '*' | Readonly<Record<string, string | readonly string[]>>;
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** One authorization question. Condition keys are compared in lower case, as AWS does. */
export interface Question {
  readonly action: string;
  readonly resource: string;
  readonly context: ReadonlyMap<string, readonly string[]>;
  /** trust policies only: kind and names of the caller */
  readonly principal?: { readonly kind: 'AWS' | 'Federated'; readonly names: readonly string[] };
}

const MEMBERS = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];
const OPERATOR = new RegExp(
  `^(ForAnyValue:|ForAllValues:)?(${[
    'String(Not)?(Equals|EqualsIgnoreCase|Like)',
    '(Date|Numeric)(Not)?Equals|(Date|Numeric)(LessThan|GreaterThan)(Equals)?',
    '(Not)?IpAddress',
    'Arn(Not)?(Equals|Like)',
    'Bool',
  ].join('|')})(IfExists)?$|^Null$`,
);

/** Parses a document as AWS does. Throws `MalformedPolicyDocument`. It does not support policy variables. */
export function readPolicy(text: string, kind: 'identity' | 'trust' = 'identity'): PolicyDocument {
  const document = parse(text);
  const statements = [document.Statement].flat();
  if (document.Version !== '2012-10-17' || statements.length === 0) throw malformed();
  for (const statement of statements) requireStatement(statement, kind);
  return { Statement: statements as Statement[] };
}

function parse(text: string): { Version?: unknown; Statement?: unknown } {
  try {
    const document = JSON.parse(text) as unknown;
    if (typeof document === 'object' && document !== null && !/\$\{(?![*?$]\})/.test(text)) return document;
  } catch {
    // The throw below reports it.
  }
  throw malformed();
}

function requireStatement(statement: unknown, kind: 'identity' | 'trust'): void {
  const one = Object(statement) as Statement;
  const members = kind === 'trust' ? [...MEMBERS, 'Principal'] : MEMBERS;
  const isKnown = Object.keys(one).every((member) => members.includes(member));
  const hasResource = kind === 'trust' || (one.Resource ?? one.NotResource) !== undefined;
  const isWhole = (one.Action ?? one.NotAction) !== undefined && hasResource;
  if (!isKnown || !isWhole || !['Allow', 'Deny'].includes(one.Effect)) throw malformed();
  if (one.Condition !== undefined) requireCondition(one.Condition);
}

function requireCondition(condition: NonNullable<Statement['Condition']>): void {
  for (const [operator, keys] of Object.entries(condition)) {
    const isValue = VALUES.find(([kind]) => operator.includes(kind))?.[1] ?? (() => true);
    if (!OPERATOR.test(operator) || !Object.values(keys).flat().every(isValue)) throw malformed();
  }
}

/** AWS's forms of non-text values; a policy with another form is refused. */
const VALUES: readonly (readonly [kind: string, isValue: (value: string) => boolean])[] = [
  ['Date', isDate],
  ['Numeric', (value) => value !== '' && Number.isFinite(Number(value))],
  ['Bool', (value) => /^(true|false)$/i.test(value)],
  ['IpAddress', (value) => isIP(value.split('/')[0] ?? '') !== 0],
];

function isDate(value: string): boolean {
  return !Number.isNaN(instantOf(value));
}

function malformed(): AwsError {
  return new AwsError('MalformedPolicyDocument', 400, 'Syntax errors in policy.');
}

/** Combines policies: an explicit denial overrides every permit. */
export function decide(policies: readonly PolicyDocument[], question: Question): 'allow' | 'deny' | 'none' {
  const said = policies.flatMap(({ Statement }) =>
    Statement.filter((one) => applies(one, question)).map(({ Effect }) => Effect),
  );
  if (said.includes('Deny')) return 'deny';
  return said.includes('Allow') ? 'allow' : 'none';
}

function applies(statement: Statement, { action, resource, context, principal }: Question): boolean {
  const { Action, NotAction, Resource, NotResource, Principal, Condition } = statement;
  const isAction = Action === undefined ? !matchesAny(NotAction, action, true) : matchesAny(Action, action, true);
  const isResource =
    principal !== undefined ||
    (Resource === undefined ? !matchesAny(NotResource, resource, false) : matchesAny(Resource, resource, false));
  const isPrincipal = principal === undefined || names(Principal, principal);
  return isAction && isResource && isPrincipal && meets(Condition ?? {}, context);
}

function names(said: Statement['Principal'], { kind, names: known }: NonNullable<Question['principal']>): boolean {
  if (said === undefined || said === '*') return said === '*' && kind === 'AWS';
  return [said[kind] ?? []].flat().some((name) => name === '*' || known.includes(name));
}

function matchesAny(patterns: string | readonly string[] | undefined, text: string, ignoreCase: boolean): boolean {
  return [patterns ?? []].flat().some((pattern) => like(pattern, text, ignoreCase));
}

/** Matches a pattern: `*` and `?` are wildcards; `${*}`, `${?}` and `${$}` are literals. */
export function like(pattern: string, text: string, ignoreCase = false): boolean {
  const source = pattern.replaceAll(/\$\{([*?$])\}|[\s\S]/g, (part, escaped?: string) => {
    if (escaped !== undefined) return `\\${escaped}`;
    if (part === '*') return '[\\s\\S]*';
    return part === '?' ? '[\\s\\S]' : part.replace(/[.+^${}()|[\]\\/-]/, '\\$&');
  });
  return new RegExp(`^${source}$`, ignoreCase ? 'i' : '').test(text);
}

function meets(condition: NonNullable<Statement['Condition']>, context: Question['context']): boolean {
  return Object.entries(condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, values]) => isMet(operator, [values].flat(), context.get(key.toLowerCase()))),
  );
}

function isMet(operator: string, values: readonly string[], actual: readonly string[] | undefined): boolean {
  if (operator === 'Null') return values.includes('true') === (actual === undefined);
  const [, quantifier, bare = '', ifExists] = /^(ForAnyValue:|ForAllValues:)?(.*?)(IfExists)?$/.exec(operator) ?? [];
  const isNegated = bare.includes('Not');
  if (actual === undefined) return ifExists !== undefined || isNegated || quantifier === 'ForAllValues:';
  const compare = comparison(bare.replace('Not', ''));
  const one = (text: string): boolean => values.some((value) => compare(text, value)) !== isNegated;
  return quantifier === 'ForAllValues:' ? actual.every(one) : actual.some(one);
}

function comparison(operator: string): (actual: string, value: string) => boolean {
  if (operator === 'StringEquals' || operator === 'Bool') return (actual, value) => actual === value;
  if (operator === 'StringEqualsIgnoreCase') return (actual, value) => actual.toLowerCase() === value.toLowerCase();
  if (operator === 'IpAddress') return isWithin;
  if (operator.startsWith('Numeric')) return (actual, value) => ordered(operator, Number(actual) - Number(value));
  if (operator.startsWith('Date')) return (actual, value) => ordered(operator, instantOf(actual) - instantOf(value));
  return (actual, value) => like(value, actual);
}

function ordered(operator: string, difference: number): boolean {
  if (/^(Date|Numeric)Equals$/.test(operator)) return difference === 0;
  if (difference === 0) return operator.endsWith('Equals');
  return operator.includes('LessThan') === difference < 0;
}

function isWithin(address: string, block: string): boolean {
  const [net = '', bits] = block.split('/');
  const family = isIP(net) === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(net, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function instantOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
}
