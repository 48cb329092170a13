import { ProviderRegistry } from '@mayfly/credentials';
import { PostgresProvider } from '@mayfly/provider-postgres';
import { checkSignedToken, SignedTokenProvider } from '@mayfly/provider-signed-token';
import { TokenSigner } from '@mayfly/trust';
import type { Foundation } from './foundation.js';

/** The one list of providers: a new kind of credential is its folder and a line here. */
export function buildProviders({ keyRing, clock, publicUrl }: Foundation) {
  const postgres = new PostgresProvider(clock);
  const providers = new ProviderRegistry([
    { provider: new SignedTokenProvider(new TokenSigner(keyRing, clock), publicUrl), check: checkSignedToken },
    { provider: postgres },
  ]);
  return { providers, closeProviders: () => postgres.close() };
}
