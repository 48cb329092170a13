import { resolveSecrets, type ProviderRegistry, type SecretSource } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
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
    const provider = this.providers.get(kind);
    const check: Target['check'] = (order, minted) => this.providers.check(kind, order, minted);
    if (connection === undefined) return { provider, config: {}, check };
    const declared = this.connections.find(connection);
    if (declared?.spec.provider !== kind) {
      throw new Problem('provider_rejected', `connection \`${connection}\` is missing or not of provider \`${kind}\``);
    }
    const resolved = await resolveSecrets(declared.spec.config, this.secrets);
    const parsed = provider.schemas.config.safeParse(resolved);
    if (!parsed.success) {
      const places = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
      throw new Problem('provider_rejected', `the configuration of connection \`${connection}\` is wrong at ${places}`);
    }
    return { provider, config: parsed.data, check };
  }
}
