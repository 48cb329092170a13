import { Problem } from '@mayfly/kernel';
import type { AnyProvider } from './provider.js';

/** The one visible list of the providers that this service has. */
export class ProviderRegistry {
  private readonly byKind: ReadonlyMap<string, AnyProvider>;

  constructor(providers: readonly AnyProvider[]) {
    this.byKind = new Map(providers.map((provider) => [provider.kind, provider]));
  }

  get kinds(): readonly string[] {
    return [...this.byKind.keys()];
  }

  /** The provider of this kind, or undefined. */
  find(kind: string): AnyProvider | undefined {
    return this.byKind.get(kind);
  }

  /** The provider of this kind. Throws `invalid_declaration` naming the kinds that exist. */
  get(kind: string): AnyProvider {
    const provider = this.byKind.get(kind);
    if (provider === undefined) {
      throw new Problem(
        'invalid_declaration',
        `there is no provider \`${kind}\`; this service has ${this.kinds.join(', ')}`,
      );
    }
    return provider;
  }
}
