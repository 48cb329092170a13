import { exchange, systemTimer, type Timer } from '@mayfly/client';
import { z } from 'zod';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';
import { compactToken, type IdentityToken } from './compact-token.js';

const AUDIENCE = 'mayfly';
const TIMEOUT_MS = 10_000;
/** Reuse time of a token. GitHub Actions tokens live for five minutes or more, so a fetch per heartbeat is wasteful. */
const KEEP_MS = 60_000;

const AnswerSchema = z.object({ value: z.string() });

/** The OIDC token of a GitHub Actions job with `permissions: id-token: write`, for the audience `mayfly`. */
export class ActionsToken implements IdentityToken {
  readonly variables = ['ACTIONS_ID_TOKEN_REQUEST_URL', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
  readonly place = 'GitHub Actions';
  private kept: { readonly token: string; readonly until: number } | undefined;

  constructor(
    private readonly request: { readonly url: string; readonly token: string },
    private readonly timer: Pick<Timer, 'now'> = systemTimer,
  ) {}

  async read(): Promise<string> {
    const now = this.timer.now();
    if (this.kept === undefined || this.kept.until <= now) {
      this.kept = { token: await this.fetchToken(), until: now + KEEP_MS };
    }
    return this.kept.token;
  }

  private async fetchToken(): Promise<string> {
    const url = new URL(this.request.url);
    url.searchParams.set('audience', AUDIENCE);
    try {
      const { status, text } = await exchange({
        method: 'GET',
        url: url.href,
        headers: { authorization: `Bearer ${this.request.token}`, accept: 'application/json' },
        timeoutMs: TIMEOUT_MS,
      });
      if (status === 200)
        return compactToken(AnswerSchema.parse(JSON.parse(text)).value, 'the answer of GitHub Actions');
    } catch {
      // Reported below: transport errors may quote the request.
    }
    throw new CommandFailure(EXIT.unavailable, 'GitHub Actions gave no identity token for the audience `mayfly`');
  }
}
