import { EgressRefused } from '@mayfly/egress';
import type { IdentityAlgorithm, TrustedIssuer } from '../issuers/issuer-spec.js';
import type { IssuerKeySource } from '../keys/issuer.key-source.js';
import type { KeySet } from '../keys/key-set.js';
import { quoted, type IssuerCheck } from './issuer-check.js';

/** The steps of fetching the keys, with their outcomes, and the keys. */
export interface KeyExamination {
  readonly checks: readonly IssuerCheck[];
  /** absent when the keys could not be fetched */
  readonly keys?: KeySet;
}

/** Fetches an issuer's keys now, without any cache. Reports each step and the algorithms that the keys can verify. */
export async function examineKeys(
  source: Pick<IssuerKeySource, 'fetchNow'>,
  issuer: TrustedIssuer,
): Promise<KeyExamination> {
  const steps: string[] = [];
  const done = (): IssuerCheck[] => steps.slice(0, -1).map((name) => ({ name, outcome: 'ok' }));
  try {
    const keys = await source.fetchNow(issuer, (step) => void steps.push(step));
    return { checks: [...done(), usableKeys(keys, issuer.spec.algorithms)], keys };
  } catch (error) {
    const name = steps.at(-1) ?? 'fetch the keys';
    return { checks: [...done(), { name, outcome: 'failed', detail: textOf(error) }] };
  }
}

function usableKeys(keys: KeySet, algorithms: readonly IdentityAlgorithm[]): IssuerCheck {
  const name = 'read the keys';
  const described = keys.described.map(
    ({ kid, algorithms: able }) => `${kid === undefined ? 'without kid' : quoted(kid)} (${able.join(', ')})`,
  );
  const passedOver = keys.passedOver === 0 ? '' : `; skipped: ${String(keys.passedOver)} of another use or kind`;
  const detail = `${described.length === 0 ? 'no key can verify tokens' : described.join(', ')}${passedOver}`;
  const fits = keys.described.some(({ algorithms: able }) => able.some((each) => algorithms.includes(each)));
  if (fits) return { name, outcome: 'ok', detail };
  const wanted = `none is for the declared \`algorithms\`, ${algorithms.join(', ')}`;
  return { name, outcome: 'missing', detail: described.length === 0 ? detail : `${detail}; ${wanted}` };
}

/** Returns a text that may be shown: the key source and the guarded fetch throw only texts of Mayfly, without URLs. */
function textOf(error: unknown): string {
  if (error instanceof EgressRefused) return error.message;
  return error instanceof Error ? error.message : 'the examination failed in an unexpected way';
}
