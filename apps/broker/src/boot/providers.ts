import { ProviderRegistry } from '@mayfly/credentials';
import { DatabaseSessions, PostgresProvider } from '@mayfly/provider-postgres';
import { checkSignedToken, SignedTokenProvider } from '@mayfly/provider-signed-token';
import { VaultProvider } from '@mayfly/provider-vault';
import { TokenSigner } from '@mayfly/trust';
import type { Foundation } from './foundation.js';

/** The one list of providers: a new kind of credential is its folder and a line here. */
export function buildProviders({ config, keyRing, federationTokens: identityTokens, clock, publicUrl }: Foundation) {
  // What a person may do on their own machine and nowhere else.
  const allowances = { allowPlainHttp: !config.production, allowTokenAuth: !config.production };
  const postgres = new PostgresProvider(clock);
  const sessions = new DatabaseSessions();
  const vault = new VaultProvider({ clock, identityTokens, sessions, ...allowances });
  const providers = new ProviderRegistry([
    { provider: new SignedTokenProvider(new TokenSigner(keyRing, clock), publicUrl), check: checkSignedToken },
    { provider: postgres },
    { provider: vault },
  ]);
  const closeProviders = async (): Promise<void> => {
    await Promise.all([postgres.close(), vault.close()]);
    await sessions.close();
  };
  return { providers, closeProviders };
}
