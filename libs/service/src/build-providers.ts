import { ProviderRegistry } from '@mayfly/credentials';
import { PgDenyPolicyStore } from '@mayfly/persistence';
import { DatabaseSessions } from '@mayfly/provider-postgres';
import { TokenSigner } from '@mayfly/trust';
import { SigningWorker } from './signing-worker.js';
import type { Foundation } from './foundation.js';
import { PROVIDERS } from './providers.js';

/** Builds the providers of `PROVIDERS`. `closeProviders` ends their sessions at targets. */
export function buildProviders({ settings, database, keyRing, federationTokens, clock, marks, publicUrl }: Foundation) {
  const sessions = new DatabaseSessions();
  const signing = new SigningWorker();
  const parts = {
    ...{
      clock,
      marks,
      identityTokens: federationTokens,
      signer: new TokenSigner(keyRing, clock, signing.sign),
      publicUrl,
      sessions,
    },
    ...{ denyPolicies: new PgDenyPolicyStore(database.pool, clock) },
    ...{ allowPlainHttp: !settings.production, allowTokenAuth: !settings.production },
  };
  const providers = new ProviderRegistry(PROVIDERS.map((entry) => entry.build(parts)));
  const closeProviders = async (): Promise<void> => {
    await providers.close();
    await sessions.close();
    await signing.close();
  };
  return { providers, closeProviders };
}
