import { createHash } from 'node:crypto';
import { z } from 'zod';
import { policyTime } from './session-policy.js';

/** What a document of denials says. */
export interface Denials {
  /** of the leases whose sessions are refused */
  readonly names: readonly string[];
  /** every session that was issued before this is refused */
  readonly cutOff?: Date;
}

const LIST_SID = /^MayflyRevision(\d{1,15})x([0-9a-f]{16})$/;

/**
 * The whole policy that stands at a role, as compact JSON. Its first `Sid` holds the revision and a digest of what follows,
 * so that an edited document and an older one that was put back can be told from what Mayfly wrote last. `aws:userid` of a
 * role's session is `<role id>:<session name>`; role ids are unique, and Mayfly does not need to know them.
 */
export function renderDenials(denials: Denials, revision: number): string {
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

/** IAM takes no empty list of values; no session has this name, since `:` is none of its characters. */
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

/** A document as it was found. */
export interface FoundDenials extends Denials {
  readonly revision: number;
}

/** The form of what `renderDenials` writes, as far as it is read back; everything else is compared as text. */
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

/** What a document says that Mayfly wrote, or undefined when it is none or was edited. `text` may be URL-encoded, as IAM answers. */
export function readDenials(text: string): FoundDenials | undefined {
  const parsed = parse(text);
  const found = FoundSchema.safeParse(parsed);
  if (!found.success) return undefined;
  const [list, cut] = found.data.Statement;
  const revision = Number(LIST_SID.exec(list.Sid)?.[1]);
  const patterns = list.Condition.StringLike['aws:userid'].filter((pattern) => pattern !== NOBODY);
  const names = patterns.map((pattern) => pattern.slice('*:'.length));
  const denials =
    cut === undefined ? { names } : { names, cutOff: new Date(cut.Condition.DateLessThan['aws:TokenIssueTime']) };
  return renderDenials(denials, revision) === JSON.stringify(parsed) ? { ...denials, revision } : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.startsWith('%') ? decodeURIComponent(text) : text) as unknown;
  } catch {
    return undefined;
  }
}

/** The characters that IAM counts: all but white space. */
export function countedCharacters(document: string): number {
  return document.replaceAll(/\s/g, '').length;
}

/** Whether two documents deny the same sessions. */
export function saySame(one: Denials, other: Denials): boolean {
  return digestOf(one) === digestOf(other);
}
