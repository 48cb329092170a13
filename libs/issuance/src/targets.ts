import { resolveSecrets, type ProviderRegistry, type SecretSource } from '@mayfly/credentials';
import { Problem, type Json } from '@mayfly/kernel';
import type { ConnectionSource, Target } from './ports.js';

/** Turns the name of a connection into a provider and its configuration. */
export class Targets {
  constructor(
    private readonly providers: ProviderRegistry,
    private readonly connections: ConnectionSource,
    private readonly secrets: SecretSource,
  ) {}

  /** Throws `provider_rejected` when the connection is missing, of another provider, or its secrets cannot be read. */
  async resolve(kind: string, connection: string | undefined): Promise<Target> {
    if (connection === undefined) return this.restore(kind, {});
    const declared = this.connections.find(connection);
    if (declared?.spec.provider !== kind) {
      throw new Problem('provider_rejected', `connection \`${connection}\` is missing or not of provider \`${kind}\``);
    }
    return this.restore(kind, declared.spec.config);
  }

  /** The target of a configuration as it was declared, with its secrets as they are now. Throws `provider_rejected`. */
  async restore(kind: string, declared: Json): Promise<Target> {
    const provider = this.providers.get(kind);
    const parsed = provider.schemas.config.safeParse(
      await resolveSecrets(declared, this.secrets, provider.secretMembers),
    );
    if (!parsed.success) {
      const places = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
      throw new Problem('provider_rejected', `the configuration of a connection of \`${kind}\` is wrong at ${places}`);
    }
    const check: Target['check'] = (order, minted) => this.providers.check(kind, order, minted);
    return { provider, declared, config: parsed.data, check };
  }
}
