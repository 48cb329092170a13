import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { IdentityTokens, LeaseMarks, Minted, MintOrder, RevocationOutcome } from '@mayfly/credentials';
import { type Clock } from '@mayfly/kernel';
import { DatabaseSessions } from '@mayfly/provider-postgres';
import { VaultProvider, type VaultConfig, type VaultHandle, type VaultScope } from '@mayfly/provider-vault';
import { FakeIssuer, mintOrder } from '@mayfly/testing';
import { createCrmDatabase, secretText, type CrmDatabase } from './crm-database.js';
import { rows, run } from './sql.js';
import { documentedPolicy, documentedTokenRole } from './vault-documented.js';
import { TARGET_SERVERS, type TargetServer } from './target-server.js';
import type { VaultServer } from './vault-server.js';

export type Order = MintOrder<VaultConfig, VaultScope>;

export interface Lease {
  readonly order: Order;
  readonly minted: Minted<VaultHandle>;
  readonly username: string;
  /** URL of a database login with the secret */
  readonly url: string;
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** The connection that `endSessions` of a scope names. */
export const DATABASE_CONNECTION = 'crm';

/** Lifetime of the broker's login. */
const LOGIN_SECONDS = 600;

/**
 * A Vault server with a database engine on a PostgreSQL of the test, set up by docs/connect-vault.md, and a provider.
 * Roles of the engine: `reader` (nothing ends sessions), `tidy` (its statements end them), `short` (10 s at most).
 */
export class VaultTarget {
  readonly handles = new Map<string, VaultHandle>();
  provider!: VaultProvider;
  clock: Clock = { now: () => new Date() };
  crm!: CrmDatabase;
  private readonly issuer = new FakeIssuer({
    clock: { now: () => new Date() },
    issuer: 'https://mayfly.example/federation',
    algorithm: 'RS256',
  });
  private readonly sessions = new DatabaseSessions();
  private jwksUrl = '';
  private stopJwks = async (): Promise<void> => undefined;

  private constructor(
    readonly server: VaultServer,
    readonly postgres: TargetServer,
  ) {}

  static async open(start: () => Promise<VaultServer>): Promise<VaultTarget> {
    const target = new VaultTarget(await start(), await TARGET_SERVERS[0]![1]());
    await target.setUp();
    target.provider = target.newProvider();
    return target;
  }

  /** Creates a provider with short `quietSeconds`, so that it closes lost credentials soon. */
  newProvider(overrides: { quietSeconds?: number; marks?: LeaseMarks } = { quietSeconds: 3 }): VaultProvider {
    const identityTokens: IdentityTokens = {
      issuer: this.issuer.issuer,
      issue: async ({ audience, subject }) => this.issuer.sign({ aud: audience, sub: subject }),
    };
    const clock = { now: () => this.clock.now() };
    return new VaultProvider({
      clock,
      identityTokens,
      sessions: this.sessions,
      allowPlainHttp: true,
      allowTokenAuth: true,
      ...overrides,
    });
  }

  configFor(overrides: Record<string, unknown> = {}): VaultConfig {
    const { address } = this.server;
    const declared = { address, auth: { method: 'jwt', role: 'mayfly' }, ...overrides };
    return this.provider.schemas.config.parse(declared);
  }

  orderFor(overrides: Partial<Order> = {}): Order {
    const scope = { path: 'database/creds/reader', method: 'read', endSessions: DATABASE_CONNECTION } as const;
    return mintOrder<Order['config'], Order['scope']>(this.configFor(), scope, overrides.issuedAt ?? this.clock.now(), {
      related: { [DATABASE_CONNECTION]: { provider: 'postgres', config: { url: this.crm.url } } },
      ...overrides,
    });
  }

  scope(role: string, overrides: Partial<VaultScope> = {}): VaultScope {
    return { path: `database/creds/${role}`, method: 'read', ...overrides };
  }

  async mint(order = this.orderFor(), signal = AbortSignal.timeout(20_000), provider = this.provider): Promise<Lease> {
    const minted = await provider.mint(order, provider.plan(order), signal, async (handle) => {
      this.handles.set(order.leaseId, handle);
      return true;
    });
    const [username, password] = ['username', 'password'].map((member) => secretText(minted.secret, member));
    const url = new URL(this.crm.loginUrl);
    url.username = username!;
    url.password = password!;
    return { order, minted, username: username!, url: url.href };
  }

  /** Revokes once, by the recorded handle or the planned one. */
  revokeOnce(order: Order, provider = this.provider): Promise<RevocationOutcome> {
    const handle = this.handles.get(order.leaseId) ?? provider.plan(order);
    return provider.revoke({ ...order, handle }, AbortSignal.timeout(20_000));
  }

  /** Repeats the revocation until it is final, as the worker does. */
  async revoke(order: Order, provider = this.provider): Promise<RevocationOutcome> {
    for (;;) {
      const outcome = await this.revokeOnce(order, provider);
      if (outcome.kind !== 'not_yet') return outcome;
      await pause(Math.min(outcome.retryAfterSeconds ?? 1, 1) * 1000);
    }
  }

  /** Sends a request as the operator. */
  async root(method: string, path: string, body?: unknown, namespace = ''): Promise<Reply> {
    const headers: Record<string, string> = { 'X-Vault-Token': this.server.rootToken, 'X-Vault-Namespace': namespace };
    const response = await fetch(`${this.server.address}/v1/${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
  }

  /** Returns the users of the engine that still exist. */
  async users(): Promise<string[]> {
    const statement = `SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'v-%' AND pg_has_role(oid, '${this.readers}', 'MEMBER')`;
    return (await rows<{ name: string }>(this.crm.superuserUrl, statement)).map(({ name }) => name);
  }

  async sessionsOf(username: string): Promise<number> {
    return (await rows(this.crm.superuserUrl, `SELECT FROM pg_stat_activity WHERE usename = '${username}'`)).length;
  }

  /** Returns the number of live tokens of a lease. */
  async tokensOf(leaseId: string): Promise<number> {
    const { body } = await this.root('GET', 'auth/token/accessors?list=true');
    const accessors = (body as { data: { keys: string[] } }).data.keys;
    const looks = accessors.map((accessor) => this.root('POST', 'auth/token/lookup-accessor', { accessor }));
    const found = (await Promise.all(looks)) as { body: { data?: { meta?: { lease?: string } | null } } }[];
    return found.filter(({ body: { data } }) => data?.meta?.lease === leaseId).length;
  }

  async close(): Promise<void> {
    await this.provider.close();
    await this.sessions.close();
    await this.server.stop();
    await this.stopJwks();
    for (const user of await this.users()) await run(this.crm.superuserUrl, `DROP ROLE "${user}"`);
    await this.crm.drop();
    await this.postgres.stop();
  }

  private get readers(): string {
    return `mayfly_readers_${this.crm.name}`;
  }

  private async setUp(): Promise<void> {
    this.crm = await createCrmDatabase(this.postgres);
    // The engine logs in and creates roles under its own name.
    await run(this.crm.superuserUrl, `ALTER ROLE ${new URL(this.crm.loginUrl).username} CREATEROLE`);
    await run(
      this.crm.url,
      `CREATE ROLE ${this.readers} NOLOGIN`,
      `GRANT CONNECT ON DATABASE ${this.crm.name} TO ${this.readers}`,
      `GRANT USAGE ON SCHEMA emea TO ${this.readers}`,
      `GRANT SELECT ON emea.customers TO ${this.readers}`,
    );
    await this.publishKeys();
    await this.setUpServer();
    await this.setUpDatabaseEngine();
  }

  private async publishKeys(): Promise<void> {
    const server = createServer((_, response) => response.end(JSON.stringify(this.issuer.jwks())));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.jwksUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/jwks`;
    this.stopJwks = async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    };
  }

  /** Sets up one namespace: engines, the broker's policy and logins, the token role. */
  async setUpServer(namespace = ''): Promise<void> {
    const set = (path: string, body: unknown) => this.must('POST', path, body, namespace);
    await set('sys/policies/acl/mayfly-broker', { policy: documentedPolicy() });
    await set('auth/token/roles/mayfly', documentedTokenRole());
    await set('sys/auth/jwt', { type: 'jwt' });
    await set('auth/jwt/config', { jwks_url: this.jwksUrl, bound_issuer: this.issuer.issuer });
    const login = { token_policies: ['mayfly-broker'], token_ttl: `${String(LOGIN_SECONDS)}s` };
    await set('auth/jwt/role/mayfly', {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: [this.server.address],
      bound_subject: 'mayfly',
      ...login,
    });
    await set('sys/auth/approle', { type: 'approle' });
    await set('auth/approle/role/mayfly', login);
    await set('sys/mounts/database', { type: 'database' });
  }

  async setUpDatabaseEngine(namespace = ''): Promise<void> {
    const set = (path: string, body: unknown) => this.must('POST', path, body, namespace);
    const { username, password, host, pathname } = new URL(this.crm.url);
    await set('database/config/crm', {
      plugin_name: 'postgresql-database-plugin',
      allowed_roles: ['*'],
      connection_url: `postgresql://{{username}}:{{password}}@${host}${pathname}?sslmode=disable`,
      username,
      password,
    });
    const create = `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE ${this.readers}`;
    const drop = 'DROP ROLE IF EXISTS "{{name}}"';
    const role = (name: string, revocation: string[], maxTtl: string, defaultTtl: string) =>
      set(`database/roles/${name}`, {
        db_name: 'crm',
        creation_statements: [create],
        revocation_statements: revocation,
        default_ttl: defaultTtl,
        max_ttl: maxTtl,
      });
    await role('reader', [drop], '86400s', '3600s');
    await role('short', [drop], '10s', '10s');
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'`;
    await role('tidy', [`ALTER ROLE "{{name}}" NOLOGIN`, end, drop], '86400s', '3600s');
  }

  private async must(method: string, path: string, body: unknown, namespace: string): Promise<void> {
    const { status, body: answer } = await this.root(method, path, body, namespace);
    if (status >= 300) throw new Error(`${path}: ${String(status)} ${JSON.stringify(answer)}`);
  }
}
