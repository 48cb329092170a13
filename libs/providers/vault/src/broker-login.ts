import type { IdentityTokens } from '@mayfly/credentials';
import { addSeconds, type Clock } from '@mayfly/kernel';
import { failureFrom, failureOf, VaultFailure } from './failures.js';
import type { Envelope, Method, VaultAnswer, VaultClient } from './vault-client.js';
import type { VaultConfig } from './vault.schemas.js';

/** Of the identity token that a login is done with: enough for one call. */
const IDENTITY_TOKEN_SECONDS = 300;
/** A login that cannot be looked at is made again on a refusal, but no more often than this. */
const BLIND_LOGIN_SECONDS = 30;

interface Login {
  readonly client: VaultClient;
  readonly since: Date;
  readonly renewed: Date;
  /** undefined for a token that does not expire */
  readonly seconds: number | undefined;
}

/** Makes the client that carries a token, or none. */
export type ClientFor = (token: string | undefined) => VaultClient;

/**
 * The broker's own login at one server: made when it is first needed, renewed once half of its life has passed, and made
 * again when it was lost. However many ask at once, one login is under way.
 */
export class BrokerLogin {
  private login: Login | undefined;
  private loggingIn: Promise<Login> | undefined;
  private renewing = false;

  constructor(
    /** as it was declared last: a `file:` reference may have led to another token since */
    public config: VaultConfig,
    private readonly clientFor: ClientFor,
    private readonly identityTokens: IdentityTokens,
    private readonly clock: Clock,
  ) {}

  get ageSeconds(): number | undefined {
    return this.login && (this.clock.now().getTime() - this.login.since.getTime()) / 1000;
  }

  /**
   * An answer of success. Throws `VaultFailure` for every other one. A login that turns out to be lost is made again, and
   * the call repeated, once: the refusal proves that nothing was done.
   */
  async call(method: Method, path: string, body?: unknown): Promise<Envelope> {
    return succeeded(await this.ask(method, path, body));
  }

  /** An answer of any status, made with a login that the server takes. */
  async ask(method: Method, path: string, body?: unknown): Promise<VaultAnswer> {
    const login = await this.current();
    const answer = await login.client.call(method, path, body);
    if (answer.status !== 403) return answer;
    const state = this.login === login ? await this.stateOf(login, answer) : 'lost';
    if (state === 'alive') return answer;
    if (this.login === login) this.login = undefined;
    const again = await this.current();
    if (state === 'unseen') await giveBack(login);
    return again.client.call(method, path, body);
  }

  /** Gives the login back, so that it does not live on without us. */
  async end(): Promise<void> {
    const { login } = this;
    this.login = undefined;
    if (login === undefined || this.config.auth.method === 'token') return;
    await giveBack(login);
  }

  /** Whether a refusal is a matter of the login: the server is asked, since a right that is missing looks alike. */
  private async stateOf(login: Login, refusal: VaultAnswer): Promise<'alive' | 'lost' | 'unseen'> {
    if (this.config.auth.method === 'token') return isDead(refusal) ? 'lost' : 'alive';
    const look = await login.client.call('read', 'auth/token/lookup-self');
    if (isDead(look)) return 'lost';
    const isRecent = this.clock.now() < addSeconds(login.since, BLIND_LOGIN_SECONDS);
    return look.status === 403 && !isRecent ? 'unseen' : 'alive';
  }

  private async current(): Promise<Login> {
    const { login } = this;
    if (login !== undefined && !this.hasPassed(login, 1)) {
      if (this.hasPassed(login, 0.5)) void this.renew(login);
      return login;
    }
    this.loggingIn ??= this.logIn().finally(() => (this.loggingIn = undefined));
    return this.loggingIn;
  }

  private hasPassed({ renewed, seconds }: Login, share: number): boolean {
    return seconds !== undefined && this.clock.now() >= addSeconds(renewed, seconds * share);
  }

  /** Whatever comes of it, the login in use stays; one that cannot be renewed is made anew before it ends. */
  private async renew(login: Login): Promise<void> {
    if (this.renewing) return;
    this.renewing = true;
    try {
      const renewed = this.clock.now();
      const answer = await login.client.call('write', 'auth/token/renew-self', {});
      const seconds = answer.status === 200 ? (answer.body.auth?.lease_duration ?? 0) : 0;
      const isStretched = seconds > (login.seconds ?? 0) / 2;
      const next = isStretched ? { ...login, renewed, seconds } : await this.logIn();
      if (this.login === login) this.login = next;
    } catch {
      // the next call tries again; once the login is over, it says what is wrong
    } finally {
      this.renewing = false;
    }
  }

  private async logIn(): Promise<Login> {
    const since = this.clock.now();
    const { auth } = this.config;
    if (auth.method === 'token') {
      return (this.login = { client: this.clientFor(auth.token), since, renewed: since, seconds: undefined });
    }
    const answer = await this.clientFor(undefined).call('write', `auth/${auth.mount}/login`, await this.proof());
    const granted = answer.body.auth;
    if (answer.status !== 200) throw loginFailure(failureOf(answer));
    if (!granted) throw new VaultFailure('bad-answer');
    const seconds = granted.lease_duration === 0 ? undefined : granted.lease_duration;
    return (this.login = { client: this.clientFor(granted.client_token), since, renewed: since, seconds });
  }

  private async proof(): Promise<Record<string, string>> {
    const { auth, address } = this.config;
    if (auth.method === 'approle') return { role_id: auth.roleId, secret_id: auth.secretId };
    if (auth.method === 'kubernetes') return { role: auth.role, jwt: auth.jwt };
    if (auth.method === 'token') return {};
    const order = { audience: address, subject: 'mayfly', lifetimeSeconds: IDENTITY_TOKEN_SECONDS };
    try {
      return { role: auth.role, jwt: await this.identityTokens.issue(order) };
    } catch (error) {
      throw failureFrom(error);
    }
  }
}

function isDead(answer: VaultAnswer): boolean {
  return failureOf(answer).options.tokenDead === true || (answer.body.errors ?? []).join().includes('invalid token');
}

/** As far as it can be done now; otherwise the login ends by itself. */
async function giveBack({ client }: Login): Promise<void> {
  await client.call('write', 'auth/token/revoke-self', {}, 2_000).catch(() => undefined);
}

/** Vault answers a login that it does not take with 400 or 403, whatever is wrong with it. */
function loginFailure(failure: VaultFailure): VaultFailure {
  const isRefusal = ['refused', 'permission-denied', 'not-found'].includes(failure.reason);
  return isRefusal ? new VaultFailure('login-lost', failure.words) : failure;
}

/** The body of an answer of success (200, 204). Throws `VaultFailure`. */
export function succeeded(answer: VaultAnswer): Envelope {
  if (answer.status === 200 || answer.status === 204) return answer.body;
  throw failureOf(answer);
}
