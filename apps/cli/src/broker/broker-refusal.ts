import { z } from 'zod';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';

/** What is read of a problem document (RFC 9457; docs/problems.md). */
const ProblemSchema = z.object({
  type: z.string().default(''),
  detail: z.string(),
  control: z.string().optional(),
  help: z.string().optional(),
  reason: z.string().optional(),
  instance: z.string().optional(),
  taskId: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).default([]),
});
type ProblemDocument = z.infer<typeof ProblemSchema>;

/** The broker answered, and the answer is no. */
export class BrokerRefusal extends CommandFailure {
  constructor(
    readonly status: number,
    /** the word of docs/problems.md; empty when what answered was no broker */
    readonly code: string,
    message: string,
    readonly document: Partial<ProblemDocument> = {},
    readonly retryAfterSeconds?: number,
  ) {
    super(status >= 500 ? EXIT.unavailable : EXIT.refused, message, document.help);
    this.name = 'BrokerRefusal';
  }

  /** Reads a refusal out of an answer, whatever stands in it. */
  static of(status: number, body: unknown, retryAfter: string | undefined): BrokerRefusal {
    const parsed = ProblemSchema.safeParse(body);
    const seconds = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
    if (!parsed.success) {
      return new BrokerRefusal(status, '', wordless(status), {}, seconds);
    }
    const { data } = parsed;
    const code = data.type.replace('urn:mayfly:problem:', '');
    return new BrokerRefusal(status, code, sentenceOf(status, data), data, seconds);
  }

  /** Whether the same request may be answered otherwise in a moment, because the broker or a part of it was busy or away. */
  get isPassing(): boolean {
    if (this.code === 'provider_rejected' || this.code === 'quota_exceeded') return false;
    return this.status >= 500 || this.retryAfterSeconds !== undefined;
  }
}

/** One sentence; what is wrong field by field follows in lines of its own, unless the sentence has said it. */
function sentenceOf(status: number, { detail, control, reason, errors, instance }: ProblemDocument): string {
  const by = control === undefined ? '' : ` (control \`${control}\`)`;
  const why = reason === undefined ? '' : ` (${reason})`;
  const isForOperators = status >= 500 || (status === 401 && reason === undefined);
  const request = isForOperators && instance !== undefined ? ` [${instance}]` : '';
  const said = withoutCount(detail, errors);
  const places = errors.map((error) => placeOf(error, said));
  return `${said}${by}${why}${request}${places.join('')}`;
}

/** The broker counts the errors beside the first one; where they are all listed, the list says how many. */
function withoutCount(detail: string, errors: ProblemDocument['errors']): string {
  const [first] = errors;
  return first !== undefined && detail === `${first.detail} (and ${String(errors.length - 1)} more)`
    ? first.detail
    : detail;
}

/** Whether a detail names its place itself, as those of declarations do: `Connection/crm: spec.config.url: …`. */
function namesPlace({ pointer, detail }: ProblemDocument['errors'][number]): boolean {
  const path = pointer.slice(1).replaceAll('/', '.');
  return detail.replace(/\[(\d+)\]/g, '.$1').includes(` ${path}: `);
}

/** Where something is wrong and what, on a line of its own; what the sentence has said is not said again. */
function placeOf(error: ProblemDocument['errors'][number], said: string): string {
  if (!said.startsWith(error.detail) && !said.endsWith(error.detail))
    return `\n  ${error.pointer === '' || namesPlace(error) ? '' : `${error.pointer}: `}${error.detail}`;
  return error.pointer === '' || namesPlace(error) ? '' : `\n  at ${error.pointer}`;
}

function wordless(status: number): string {
  const said = `the broker answered ${String(status)}`;
  if (status >= 300 && status < 400) return `${said}, and is not followed elsewhere; use its own address in MAYFLY_URL`;
  return `${said} without saying why`;
}
