import type { IdentityTokens } from '@mayfly/credentials';
import { addSeconds, type Clock } from '@mayfly/kernel';
import { failureFrom, failureOf, VaultFailure, withReason } from './failures.js';
import type { Envelope, Method, VaultAnswer, VaultClient } from './vault-client.js';
import type { VaultConfig } from './vault.schemas.js';

/** Lifetime of the identity token for a login: enough for one call. */
const IDENTITY_TOKEN_SECONDS = 300;
/** Minimum interval between new logins after a refusal, for a login that may not look itself up. */
const BLIND_LOGIN_SECONDS = 30;

interface Login {
  readonly client: VaultClient;
  readonly since: Date;
  readonly renewed: Date;
  /** undefined for a token that does not expire */
  readonly seconds: number | undefined;
}

/** Creates the client that carries a token, or none. */
export type ClientFor = (token: string | undefined) => VaultClient;

/**
 * The broker's own login at one server. Logs in at the first call, renews the login after half of its life, and logs in
 * again when the login was lost. Concurrent calls share one login.
 */
export class BrokerLogin {
  private login: Login | undefined;
  private loggingIn: Promise<Login> | undefined;
  private renewing = false;

  constructor(
    /** the latest configuration; since this login was made, only its service account token (`auth.jwt`) can have changed */
    public config: VaultConfig,
    private readonly clientFor: ClientFor,
    private readonly identityTokens: IdentityTokens,
    private readonly clock: Clock,
  ) {}

  get ageSeconds(): number | undefined {
    return this.login && (this.clock.now().getTime() - this.login.since.getTime()) / 1000;
  }

  /**
   * Returns the body of a successful answer. Throws `VaultFailure` for every other one. Replaces a lost login and
   * repeats the call once: the refusal proves that the server did nothing.
   */
  async call(method: Method, path: string, body?: unknown): Promise<Envelope> {
    return succeeded(await this.ask(method, path, body));
  }

  /** Returns an answer of any status, to a call with a login that the server accepts. */
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

  /** Revokes the login, so that it does not outlive its use. */
  async end(): Promise<void> {
    const { login } = this;
    this.login = undefined;
    if (login === undefined || this.config.auth.method === 'token') return;
    await giveBack(login);
  }

  /**
   * Returns the state of the login after a refusal. Asks the server, because a missing right gives the same refusal.
   * `unseen`: the login may not look itself up.
   */
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

  /** Renews the login; the login in use stays when that fails. Logs in again when the server no longer extends it. */
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
      // the next call tries again; after the login has expired, that call throws the reason
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

/** Revokes the login's token if it can; otherwise the token expires. */
async function giveBack({ client }: Login): Promise<void> {
  await client.call('write', 'auth/token/revoke-self', {}, 2_000).catch(() => undefined);
}

/** Converts the refusal of a login: Vault answers 400 or 403 for every cause. */
function loginFailure(failure: VaultFailure): VaultFailure {
  const isRefusal = ['refused', 'permission-denied', 'not-found'].includes(failure.reason);
  return isRefusal ? withReason(failure, 'login-lost') : failure;
}

/** Returns the body of a successful answer (200, 204). Throws `VaultFailure`. */
export function succeeded(answer: VaultAnswer): Envelope {
  if (answer.status === 200 || answer.status === 204) return answer.body;
  throw failureOf(answer);
}
