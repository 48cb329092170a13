import {
  IdentityVerifier,
  identityRefusalReason,
  IssuerKeySource,
  type FetchJson,
  type ServerTrust,
} from '@mayfly/identity';
import { addSeconds, Problem } from '@mayfly/kernel';
import { FakeIssuer } from './fake-issuer.js';

const START = new Date('2026-11-01T12:00:00Z');

export const JWKS_URI = 'https://ci.example/keys';
export const DISCOVERY_URI = 'https://ci.example/.well-known/openid-configuration';

/** One issuer, the URLs and files of its keys, and a verifier that reads them. The verifier starts with `JWKS_URI`. */
export class IssuerWeb {
  private instant = START;
  readonly clock = { now: (): Date => this.instant };
  readonly ci = new FakeIssuer({ clock: this.clock });
  /** the answer of each URL; may throw */
  readonly answers = new Map<string, () => unknown>([[JWKS_URI, () => this.ci.jwks()]]);
  readonly files = new Map<string, string>();
  /** the fetched URLs, in order; `trusted` has the proof required of each server */
  readonly fetched: string[] = [];
  readonly trusted: ServerTrust[] = [];
  readonly keySource: IssuerKeySource;
  readonly verifier: IdentityVerifier;

  constructor() {
    const fetchJson: FetchJson = async (url, trust) => {
      this.fetched.push(url);
      this.trusted.push(trust ?? {});
      const answer = this.answers.get(url);
      if (answer === undefined) throw new Error('the issuer is down');
      return answer();
    };
    const readFile = async (path: string): Promise<string> => {
      const text = this.files.get(path);
      if (text === undefined) throw new Problem('provider_rejected', 'the file cannot be read');
      return text;
    };
    this.keySource = new IssuerKeySource({ fetchJson, readFile }, this.clock);
    this.verifier = new IdentityVerifier(this.keySource, this.clock);
    this.verifier.replaceIssuers([this.ci.trusted('ci', { keys: { jwksUri: JWKS_URI } })]);
  }

  /**
   * Verifies a token: `accepted`, or the reason of its refusal. The default token is new each time, so that the cache
   * has no proof for it.
   */
  async outcome(token = this.ci.sign({ nonce: String(Math.random()) })): Promise<string | undefined> {
    return this.verifier.verify(token).then(
      () => 'accepted',
      (error: unknown) => identityRefusalReason(error),
    );
  }

  /** Sets the clock to `seconds` after the start. */
  after(seconds: number): void {
    this.instant = addSeconds(START, seconds);
  }
}
