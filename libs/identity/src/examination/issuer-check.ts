import { identityRefusalReason } from '../identity-refusal.js';

/** One thing that a test of an issuer looked at. */
export interface IssuerCheck {
  readonly name: string;
  /** `missing`: the document, or the token, lacks something; `failed`: it is wrong, or it could not be found out */
  readonly outcome: 'ok' | 'missing' | 'failed' | 'skipped';
  readonly detail?: string;
}

const MAX_QUOTED = 128;

/** Text of a stranger, to be shown: printable ASCII in backticks, cut at 128 characters. */
export function quoted(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]|`/g, '?');
  return `\`${plain.length > MAX_QUOTED ? `${plain.slice(0, MAX_QUOTED)}…` : plain}\``;
}

/** The check of a rule that returns what is wrong, or undefined; `detail` is said where nothing is. */
export function judged(name: string, fault: string | undefined, detail?: string): IssuerCheck {
  if (fault !== undefined) return { name, outcome: 'failed', detail: fault };
  return { name, outcome: 'ok', ...(detail === undefined ? {} : { detail }) };
}

/** The reason for which a step of this room refuses, or undefined; errors that are no refusals are thrown on. */
export function reasonOf(step: () => unknown): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    const reason = identityRefusalReason(error);
    if (reason === undefined) throw error;
    return reason;
  }
}
