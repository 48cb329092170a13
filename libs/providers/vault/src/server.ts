import { createHash } from 'node:crypto';
import type { IdentityTokens } from '@mayfly/credentials';
import { canonicalJson, type Clock } from '@mayfly/kernel';
import { BrokerLogin } from './broker-login.js';
import { EngineQueue } from './engine-queue.js';
import { LeasePolicies } from './lease-policy.js';
import { ServerClock } from './server-clock.js';
import { Transport } from './transport.js';
import { VaultClient } from './vault-client.js';
import type { VaultConfig } from './vault.schemas.js';

/** One server as a connection names it, with its login, policies and queues. */
export interface Server {
  readonly login: BrokerLogin;
  readonly policies: LeasePolicies;
  /** mints and revocations have separate slots, so that they do not delay each other */
  readonly mints: EngineQueue;
  readonly revocations: EngineQueue;
  readonly clock: ServerClock;
  /** Returns a client that carries the token, or none. */
  clientFor(token: string | undefined): VaultClient;
}

const MAX_SERVERS = 256;

/** The servers in use, keyed by the identity of the login there. Evicts the least recently used one. */
export class Servers {
  private readonly byKey = new Map<string, Server & { close(): void }>();

  constructor(
    private readonly identityTokens: IdentityTokens,
    private readonly clock: Clock,
  ) {}

  at(config: VaultConfig): Server {
    const key = keyOf(config);
    const server = this.byKey.get(key) ?? this.open(config);
    this.byKey.delete(key);
    this.byKey.set(key, server);
    server.login.config = config;
    const [oldest] = this.byKey.keys();
    if (this.byKey.size > MAX_SERVERS && oldest !== undefined) {
      void this.byKey.get(oldest)?.login.end();
      this.byKey.delete(oldest);
    }
    return server;
  }

  async close(): Promise<void> {
    const servers = [...this.byKey.values()];
    this.byKey.clear();
    await Promise.all(servers.map(({ login }) => login.end()));
    for (const server of servers) server.close();
  }

  private open(config: VaultConfig): Server & { close(): void } {
    const transport = new Transport(config.tls?.ca);
    const clock = new ServerClock(this.clock);
    const clientFor = (token: string | undefined): VaultClient =>
      new VaultClient(transport, config.address, config.namespace, token, clock);
    return {
      login: new BrokerLogin(config, clientFor, this.identityTokens, this.clock),
      policies: new LeasePolicies(this.clock),
      mints: new EngineQueue(),
      revocations: new EngineQueue(),
      clientFor,
      clock,
      close: () => {
        transport.close();
      },
    };
  }
}

/** Returns the key of a server. Leaves out a service account's token, which changes by itself. */
function keyOf({ address, namespace, tls, auth }: VaultConfig): string {
  const identity = auth.method === 'kubernetes' ? { ...auth, jwt: '' } : auth;
  const parts = [address, namespace ?? '', tls?.ca ?? '', { ...identity }];
  return createHash('sha256').update(canonicalJson(parts)).digest('base64url');
}
