import { ProviderRegistry } from '@mayfly/credentials';
import { DummyProvider } from '@mayfly/provider-dummy';
import { SignedTokenProvider } from '@mayfly/provider-signed-token';

/** Returns the provider whose tokens resource servers introspect, and one without tokens. Neither can mint. */
export function introspectableProviders(): ProviderRegistry {
  return new ProviderRegistry([
    { provider: new SignedTokenProvider({} as never, 'https://mayfly.example') },
    { provider: new DummyProvider({ now: () => new Date() }) },
  ]);
}
