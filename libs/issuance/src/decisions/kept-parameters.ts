import { canonicalJson, type Json, type JsonObject, problemThrownBy } from '@mayfly/kernel';
import type { CompiledTemplate } from '@mayfly/templates';

/** The most that a record keeps of the parameters of one request, in characters of canonical JSON. */
const MAX_PARAMETERS = 8_192;

/** The parameters of a request as a record keeps them. */
export interface KeptParameters {
  readonly parameters: Json;
  /** true when a value was replaced, so that the decision may differ when it is made again */
  readonly isChanged: boolean;
}

/**
 * INVARIANT: I10, returns parameters without what may be a secret. Parameters that fit the template keep all but what
 * `redact` finds. Of others, a record keeps those that the template takes: the rest is `null`, under a name of ours when
 * the template has no such parameter, so that it is refused again. Too many parameters are left out as a whole: a flood
 * of refused requests may not fill the table.
 */
export function keptParameters(
  asked: Json,
  template: CompiledTemplate | undefined,
  redact: (text: string) => string,
): KeptParameters {
  if (template === undefined) return { parameters: {}, isChanged: false }; // nothing was judged by them
  const fitting = fits(template, asked) ? asked : placeholders(asked, template);
  const parameters = redacted(fitting, redact);
  const isTooLong = canonicalJson(parameters).length > MAX_PARAMETERS;
  const isChanged = isTooLong || canonicalJson(parameters) !== canonicalJson(fitting);
  return { parameters: isTooLong ? null : parameters, isChanged };
}

function fits(template: CompiledTemplate, parameters: Json): boolean {
  return problemThrownBy(() => template.validate(parameters)) === undefined;
}

/** Returns parameters that the template refuses as it refused these. */
function placeholders(asked: Json, template: CompiledTemplate): Json {
  if (asked === null || typeof asked !== 'object' || Array.isArray(asked)) return null;
  const { parameters } = template;
  let unknown = 0;
  const members = Object.entries(asked as JsonObject).map(([name, value = null]) => {
    if (parameters.property(name) === undefined) return [`omitted-${String((unknown += 1))}`, null] as const;
    return [name, parameters.takes(name, value) ? value : null] as const;
  });
  const kept = Object.fromEntries(members);
  return fits(template, kept) ? null : kept;
}

function redacted(value: Json, redact: (text: string) => string): Json {
  if (typeof value === 'string') return redact(value);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item: Json) => redacted(item, redact));
  const members = Object.entries(value as JsonObject).map(([name, member = null]) => {
    return [redact(name), typeof member === 'string' ? redactedMember(name, member, redact) : redacted(member, redact)];
  });
  return Object.fromEntries(members) as JsonObject;
}

/** A redaction knows members such as `password` by the name before the text. */
function redactedMember(name: string, text: string, redact: (text: string) => string): Json {
  const alone = redact(text);
  const whole = JSON.stringify({ [name]: text });
  return alone === text && redact(whole) !== whole ? '[redacted]' : alone;
}
