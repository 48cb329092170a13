import { EgressRefused } from '@mayfly/egress';
import type { ClockReading } from '@mayfly/kernel';
import type { IdentityAlgorithm, TrustedIssuer } from '../issuers/issuer-spec.js';
import type { IssuerKeySource } from '../keys/issuer.key-source.js';
import type { KeySet } from '../keys/key-set.js';
import { issuerCheck, quoted, type IssuerCheck } from './issuer-check.js';

/** The steps of fetching the keys, with their outcomes, and the keys. */
export interface KeyExamination {
  readonly checks: readonly IssuerCheck[];
  /** absent when the keys could not be fetched */
  readonly keys?: KeySet;
}

/** Fetches an issuer's keys now, without any cache. Reports each step and the algorithms that the keys can verify. */
export async function examineKeys(
  source: Pick<IssuerKeySource, 'fetchNow' | 'clockOf'>,
  issuer: TrustedIssuer,
): Promise<KeyExamination> {
  const steps: string[] = [];
  const done = (): IssuerCheck[] => steps.slice(0, -1).map((name) => ({ name, outcome: 'ok' }));
  try {
    const keys = await source.fetchNow(issuer, (step) => void steps.push(step));
    const clock = clockCheck(source.clockOf(issuer), issuer.spec.clockToleranceSeconds);
    return { checks: [...done(), usableKeys(keys, issuer.spec.algorithms), ...clock], keys };
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

/** Compares the clocks by the answer with the keys: an issuer that is ahead makes tokens that are not valid yet. */
function clockCheck(reading: ClockReading | undefined, toleranceSeconds: number): readonly IssuerCheck[] {
  if (reading === undefined) return [];
  const { offsetSeconds, uncertaintySeconds } = reading;
  const seconds = String(Math.round(Math.abs(offsetSeconds)));
  const fact = `the clock of the server of the keys is ${seconds} s ${offsetSeconds < 0 ? 'behind' : 'ahead of'} that of Mayfly's database`;
  const isFar = Math.abs(offsetSeconds) - uncertaintySeconds > toleranceSeconds;
  const fault = `${fact}, more than \`clockToleranceSeconds\`; correct the wrong one of the two (NTP)`;
  return [issuerCheck('the clocks agree', isFar ? fault : undefined, fact)];
}

/** Returns a text that may be shown: the key source and the guarded fetch throw only texts of Mayfly, without URLs. */
function textOf(error: unknown): string {
  if (error instanceof EgressRefused) return error.message;
  return error instanceof Error ? error.message : 'the examination failed in an unexpected way';
}
