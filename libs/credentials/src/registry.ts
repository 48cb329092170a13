import { Problem } from '@mayfly/kernel';
import type { AnyProvider, Minted, MintOrder } from './provider.js';

/** A provider of this service, with the judge of its work where its credentials can be read. */
export interface RegisteredProvider {
  readonly provider: AnyProvider;
  /**
   * Compares a credential with what was ordered, and says what is wrong with it, or undefined. It lives apart from the
   * provider, since a minter does not judge its own work, and quotes nothing of the credential.
   */
  check?(order: MintOrder<unknown, unknown>, minted: Minted<unknown>): string | undefined;
}

/** The judge of what one provider mints. */
export type MintCheck = NonNullable<RegisteredProvider['check']>;

/** A line in the list of providers. */
export interface ProviderEntry<Parts> {
  /**
   * What secrets of this kind look like, for the redaction of all that is logged: it is known before anything is built. Each
   * pattern stops before a quote and before a backslash, so that a JSON line stays one, and its repetitions are bounded before
   * the fixed part, so that no text makes it slow.
   */
  readonly redaction?: readonly RegExp[];
  build(parts: Parts): RegisteredProvider;
}

/** The providers that this service has, by kind. */
export class ProviderRegistry {
  private readonly byKind: ReadonlyMap<string, RegisteredProvider>;

  constructor(entries: readonly RegisteredProvider[]) {
    this.byKind = new Map(entries.map((entry) => [entry.provider.kind, entry]));
  }

  get all(): readonly AnyProvider[] {
    return [...this.byKind.values()].map(({ provider }) => provider);
  }

  find(kind: string): AnyProvider | undefined {
    return this.byKind.get(kind)?.provider;
  }

  /** The provider of this kind. Throws `invalid_declaration` naming the kinds that exist. */
  get(kind: string): AnyProvider {
    return this.entry(kind).provider;
  }

  /** Lets every provider end its connections. */
  async close(): Promise<void> {
    await Promise.all(this.all.map(async (provider) => provider.close?.()));
  }

  /** Judges a minted credential; undefined when nothing is wrong with it. */
  check(kind: string, ...minted: Parameters<MintCheck>): string | undefined {
    return this.entry(kind).check?.(...minted);
  }

  private entry(kind: string): RegisteredProvider {
    const entry = this.byKind.get(kind);
    if (entry === undefined) {
      const kinds = [...this.byKind.keys()].join(', ');
      throw new Problem('invalid_declaration', `there is no provider \`${kind}\`; this service has ${kinds}`);
    }
    return entry;
  }
}
