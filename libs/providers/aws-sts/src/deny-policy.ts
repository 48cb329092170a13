import { createHash } from 'node:crypto';
import { z } from 'zod';
import { policyTime } from './session-policy.js';

/** The content of a deny policy. */
export interface Denials {
  /** ids of the leases whose sessions are denied */
  readonly names: readonly string[];
  /** denies every session that was issued before this instant */
  readonly cutOff?: Date;
}

const LIST_SID = /^MayflyRevision(\d{1,15})x([0-9a-f]{16})$/;

/**
 * Returns the whole deny policy of a role, as compact JSON. Its first `Sid` holds the revision and a digest of the
 * content, so that an edited document, or an older one that was put back, differs from the one that Mayfly wrote last.
 * `aws:userid` of a role's session is `<role id>:<session name>`; the patterns have `*` for the unique role id, which
 * Mayfly need not know.
 */
export function renderDenyPolicy(denials: Denials, revision: number): string {
  const sid = `MayflyRevision${String(revision)}x${digestOf(denials)}`;
  const list = { Sid: sid, ...DENY_ALL, Condition: { StringLike: { 'aws:userid': patternsOf(denials) } } };
  const cutOff =
    denials.cutOff === undefined
      ? []
      : [
          {
            Sid: 'MayflyCutOff',
            ...DENY_ALL,
            Condition: { DateLessThan: { 'aws:TokenIssueTime': policyTime(denials.cutOff) } },
          },
        ];
  return JSON.stringify({ Version: '2012-10-17', Statement: [list, ...cutOff] });
}

const DENY_ALL = { Effect: 'Deny', Action: '*', Resource: '*' };

/** IAM accepts no empty list of values. No session has this name, since a name cannot have a `:`. */
const NOBODY = '*:nobody:';

function patternsOf({ names }: Denials): string[] {
  return names.length === 0 ? [NOBODY] : names.map((name) => `*:${name}`);
}

function digestOf(denials: Denials): string {
  const cutOff = denials.cutOff === undefined ? '' : policyTime(denials.cutOff);
  return createHash('sha256')
    .update(JSON.stringify([cutOff, ...denials.names]))
    .digest('hex')
    .slice(0, 16);
}

/** A deny policy as read from IAM. */
export interface FoundDenyPolicy extends Denials {
  readonly revision: number;
}

/** The members of a rendered document that are read back; everything else is compared as text. */
const FoundSchema = z.object({
  Statement: z.tuple([
    z.object({
      Sid: z.string().regex(LIST_SID),
      Condition: z.object({ StringLike: z.object({ 'aws:userid': z.array(z.string()) }) }),
    }),
    z
      .object({ Condition: z.object({ DateLessThan: z.object({ 'aws:TokenIssueTime': z.iso.datetime() }) }) })
      .optional(),
  ]),
});

/**
 * Reads a document that Mayfly wrote. Returns undefined when Mayfly did not write it, or when it was edited. `text` may
 * be URL-encoded, as IAM answers.
 */
export function readDenyPolicy(text: string): FoundDenyPolicy | undefined {
  const parsed = parse(text);
  const found = FoundSchema.safeParse(parsed);
  if (!found.success) return undefined;
  const [list, cut] = found.data.Statement;
  const revision = Number(LIST_SID.exec(list.Sid)?.[1]);
  const patterns = list.Condition.StringLike['aws:userid'].filter((pattern) => pattern !== NOBODY);
  const names = patterns.map((pattern) => pattern.slice('*:'.length));
  const denials =
    cut === undefined ? { names } : { names, cutOff: new Date(cut.Condition.DateLessThan['aws:TokenIssueTime']) };
  return renderDenyPolicy(denials, revision) === JSON.stringify(parsed) ? { ...denials, revision } : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.startsWith('%') ? decodeURIComponent(text) : text) as unknown;
  } catch {
    return undefined;
  }
}

/** Returns the number of characters that IAM counts: all but white space. */
export function countedCharacters(document: string): number {
  return document.replaceAll(/\s/g, '').length;
}

/** Returns true when two documents deny the same sessions. */
export function saySame(one: Denials, other: Denials): boolean {
  return digestOf(one) === digestOf(other);
}
