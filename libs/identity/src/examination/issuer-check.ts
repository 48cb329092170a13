import { identityRefusalReason } from '../identity-refusal.js';

/** One check of an issuer's test. */
export interface IssuerCheck {
  readonly name: string;
  /** `missing`: the document, or the token, lacks something; `failed`: it is wrong, or could not be checked */
  readonly outcome: 'ok' | 'missing' | 'failed' | 'skipped';
  readonly detail?: string;
}

const MAX_QUOTED = 128;

/** Returns untrusted text for display: printable ASCII in backticks, cut at 128 characters. */
export function quoted(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]|`/g, '?');
  return `\`${plain.length > MAX_QUOTED ? `${plain.slice(0, MAX_QUOTED)}…` : plain}\``;
}

/** Returns the check of one rule: `failed` with its fault, or `ok` with `detail`. */
export function issuerCheck(name: string, fault: string | undefined, detail?: string): IssuerCheck {
  if (fault !== undefined) return { name, outcome: 'failed', detail: fault };
  return { name, outcome: 'ok', ...(detail === undefined ? {} : { detail }) };
}

/** Returns the reason of a refusal of this room that `step` throws, or undefined. Throws any other error on. */
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
