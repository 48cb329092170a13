import type { IdentityTokens } from '@mayfly/credentials';
import { type Clock, Problem } from '@mayfly/kernel';
import { z } from 'zod';
import { BrokerLogin } from './broker-login.js';
import { failureOf, problemFrom } from './failures.js';
import { ServerClock } from './server-clock.js';
import { Transport } from './transport.js';
import { type VaultAnswer, VaultClient } from './vault-client.js';
import { MountSchema, RoleSchema, vaultConfigSchema, type VaultAllowances } from './vault.schemas.js';

/** The description of a key of the transit engine: where it is, and how to log in there. */
export function transitSchema(allowances: VaultAllowances) {
  const { address, namespace, tls, auth } = vaultConfigSchema(allowances).shape;
  return z.strictObject({
    ...{ address, namespace, tls },
    // The tokens of the method `jwt` are signed by keys that the sealing key seals.
    auth: auth.refine(
      ({ method }) => method !== 'jwt',
      'use kubernetes or approle: Mayfly has no key to sign with yet',
    ),
    mount: MountSchema.default('transit'),
    key: RoleSchema,
  });
}
export type TransitConfig = z.infer<ReturnType<typeof transitSchema>>;

/** Reads bytes that a key of the transit engine wrapped (Vault API, `transit/decrypt`). */
export class TransitKey {
  private readonly transport: Transport;
  private readonly login: BrokerLogin;

  /** `config` has its secrets in place of references. */
  constructor(
    private readonly config: TransitConfig,
    clock: Clock,
  ) {
    const { address, namespace, tls } = config;
    this.transport = new Transport(tls?.ca);
    const serverClock = new ServerClock(clock);
    const clientFor = (token: string | undefined) =>
      new VaultClient(this.transport, address, namespace, token, serverClock);
    const shared = vaultConfigSchema({ allowPlainHttp: true, allowTokenAuth: true }).parse({
      ...{ address, namespace, tls, auth: config.auth },
    });
    this.login = new BrokerLogin(shared, clientFor, NO_IDENTITY, clock);
  }

  /**
   * Unwraps a ciphertext (`vault:v1:…`) and returns its bytes. Throws `provider_rejected` when the server refuses it, and
   * `provider_unavailable` when the server cannot answer; neither names the ciphertext.
   */
  async unwrap(ciphertext: string): Promise<Buffer> {
    const { mount, key } = this.config;
    try {
      const answer = await this.login.ask('write', `${mount}/decrypt/${key}`, { ciphertext });
      const plaintext = answer.body.data?.plaintext;
      if (answer.status === 200 && typeof plaintext === 'string') return Buffer.from(plaintext, 'base64');
      throw refusalOf(answer, mount, key) ?? failureOf(answer);
    } catch (error) {
      throw problemFrom(error);
    }
  }

  /** Revokes the login and closes the connections. */
  async close(): Promise<void> {
    await this.login.end();
    this.transport.close();
  }
}

/** Returns the refusal of `transit/decrypt` by the words of the engine (`path_decrypt.go`, `keysutil/policy.go`). */
function refusalOf({ status, body }: VaultAnswer, mount: string, key: string): Problem | undefined {
  const words = (body.errors ?? []).join(' ');
  const says = (of: number, said: RegExp): boolean => status === of && said.test(words);
  if (says(400, /encryption key not found/))
    return new Problem('provider_rejected', `there is no key \`${key}\` in \`${mount}\`; correct \`key\``);
  if (says(404, /no handler for route|^$/))
    return new Problem('provider_rejected', `no transit engine is at \`${mount}\`; correct \`mount\``);
  if (says(403, /permission denied/))
    return new Problem(
      'provider_rejected',
      `the login may not use the key; allow \`update\` on \`${mount}/decrypt/${key}\``,
    );
  if (says(400, /disallowed by policy \(too old\)/))
    return new Problem(
      'provider_rejected',
      `the wrapped key is older than \`min_decryption_version\` of \`${key}\`; use a rewrapped one`,
    );
  if (says(400, /invalid ciphertext|message authentication failed/))
    return new Problem(
      'provider_rejected',
      `key \`${key}\` did not wrap it, or it is damaged; use the ciphertext that this key made`,
    );
  return undefined;
}

const NO_IDENTITY: IdentityTokens = {
  issuer: '',
  issue: () =>
    Promise.reject(new Problem('internal', 'there is no identity token before the sealing key; use another login')),
};
