import { ProviderRegistry } from '@mayfly/credentials';
import { PgDenialStore } from '@mayfly/persistence';
import { AwsStsProvider } from '@mayfly/provider-aws-sts';
import { DatabaseSessions, PostgresProvider } from '@mayfly/provider-postgres';
import { checkSignedToken, SignedTokenProvider } from '@mayfly/provider-signed-token';
import { VaultProvider } from '@mayfly/provider-vault';
import { TokenSigner } from '@mayfly/trust';
import type { Foundation } from './foundation.js';

/** The one list of providers: a new kind of credential is its folder and a line here. */
export function buildProviders({ config, database, keyRing, federationTokens, clock, publicUrl }: Foundation) {
  // What a person may do on their own machine and nowhere else.
  const allowances = { allowPlainHttp: !config.production, allowTokenAuth: !config.production };
  const postgres = new PostgresProvider(clock);
  const sessions = new DatabaseSessions();
  const parts = { clock, identityTokens: federationTokens, ...allowances };
  const vault = new VaultProvider({ ...parts, sessions });
  const aws = new AwsStsProvider({ ...parts, denials: new PgDenialStore(database.pool, clock) });
  const providers = new ProviderRegistry([
    { provider: new SignedTokenProvider(new TokenSigner(keyRing, clock), publicUrl), check: checkSignedToken },
    { provider: postgres },
    { provider: vault },
    { provider: aws },
  ]);
  const closeProviders = async (): Promise<void> => {
    await Promise.all([postgres.close(), vault.close()]);
    await Promise.all([sessions.close(), aws.close()]);
  };
  return { providers, closeProviders };
}
