import { Problem } from '@mayfly/kernel';
import type { AnyProvider, Minted, MintOrder } from './provider.js';

/** A provider of this service, with the check of its credentials when Mayfly can read them. */
export interface RegisteredProvider {
  readonly provider: AnyProvider;
  /**
   * Compares a minted credential with its order. Returns the difference, or undefined. Lives apart from the provider,
   * because a minter must not judge its own work. Quotes nothing of the credential.
   */
  check?(order: MintOrder<unknown, unknown>, minted: Minted<unknown>): string | undefined;
}

/** The check of one provider's credentials. */
export type MintCheck = NonNullable<RegisteredProvider['check']>;

/** One entry in the list of providers. */
export interface ProviderEntry<Parts> {
  /**
   * Patterns of this kind's secrets, by which the logger redacts. They are known before any provider is built. Each
   * pattern stops before a quote and before a backslash, so that a redacted JSON line stays valid. Repetitions before
   * the fixed part are bounded, so that no text makes the match slow.
   */
  readonly redaction?: readonly RegExp[];
  /** Builds the provider, once for each start. Calls no target. */
  build(parts: Parts): RegisteredProvider;
}

/** The providers of this service, by kind. */
export class ProviderRegistry {
  private readonly byKind: ReadonlyMap<string, RegisteredProvider>;

  constructor(entries: readonly RegisteredProvider[]) {
    this.byKind = new Map(entries.map((entry) => [entry.provider.kind, entry]));
  }

  /** All providers, in the order of the list. */
  get all(): readonly AnyProvider[] {
    return [...this.byKind.values()].map(({ provider }) => provider);
  }

  /** Returns the provider of this kind, or undefined. */
  find(kind: string): AnyProvider | undefined {
    return this.byKind.get(kind)?.provider;
  }

  /** Returns the provider of this kind. Throws `invalid_declaration`, which names the kinds that exist. */
  get(kind: string): AnyProvider {
    return this.entry(kind).provider;
  }

  /** Calls `close` of every provider. */
  async close(): Promise<void> {
    await Promise.all(this.all.map(async (provider) => provider.close?.()));
  }

  /** Checks a minted credential. Returns its fault, or undefined. */
  check(kind: string, ...minted: Parameters<MintCheck>): string | undefined {
    return this.entry(kind).check?.(...minted);
  }

  private entry(kind: string): RegisteredProvider {
    const entry = this.byKind.get(kind);
    if (entry === undefined) {
      const kinds = [...this.byKind.keys()].join(', ');
      throw new Problem('invalid_declaration', `there is no provider \`${kind}\`; use one of ${kinds}`);
    }
    return entry;
  }
}
