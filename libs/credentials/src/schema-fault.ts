import type { core, ZodType } from 'zod';
import { parseValue } from './parse-value.js';

/** The first fault that a schema finds in a value. */
export interface SchemaFault {
  readonly path: readonly (string | number)[];
  /** in lower case and without a final stop, as in a `Problem` */
  readonly detail: string;
}

/**
 * Returns the first fault and its exact path, or undefined. Inside a union, returns the fault of the member that fits
 * best.
 */
export function schemaFault(schema: ZodType, value: unknown): SchemaFault | undefined {
  const issue = parseValue(schema, value).error?.issues[0];
  if (issue === undefined) return undefined;
  const { path, message } = innermost(issue);
  return {
    path: path.map((step) => (typeof step === 'number' ? step : String(step))),
    detail: message.charAt(0).toLowerCase() + message.slice(1).replaceAll('"', '`'),
  };
}

/** Returns the fault as text, with its path in front: `grants.0.schema: …`. */
export function faultText({ path, detail }: SchemaFault): string {
  return path.length === 0 ? detail : `${path.join('.')}: ${detail}`;
}

/**
 * A union says only `Invalid input` and lists the faults of each member. Returns the fault with the longest path: its
 * member fits best.
 */
function innermost(issue: core.$ZodIssue): Pick<core.$ZodIssue, 'path' | 'message'> {
  if (issue.code !== 'invalid_union') return issue;
  const reasons = issue.errors.flatMap(([first]) => (first === undefined ? [] : [innermost(first)]));
  const meant = reasons.reduce<(typeof reasons)[number] | undefined>(
    (best, next) => (best === undefined || isNearer(next, best) ? next : best),
    undefined,
  );
  return meant === undefined ? issue : { path: [...issue.path, ...meant.path], message: meant.message };
}

function isNearer(one: Pick<core.$ZodIssue, 'path' | 'message'>, other: Pick<core.$ZodIssue, 'path' | 'message'>) {
  if (one.path.length !== other.path.length) return one.path.length > other.path.length;
  return isAboutType(other) && !isAboutType(one);
}

function isAboutType({ message }: Pick<core.$ZodIssue, 'message'>): boolean {
  return message.startsWith('Invalid input: expected');
}
