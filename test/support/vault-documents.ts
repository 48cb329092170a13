import type { JsonObject } from '@mayfly/kernel';
import { DATABASE_CONNECTION, type VaultTarget } from '../contract/vault-target.js';
import type { TestBroker } from './broker.js';
import { agentDocument, connectionDocument, templateDocument } from './declared.js';
import { until } from './until.js';

/** Builds the connections of a Vault target, and the variable that one of them refers to. */
export function vaultConnections({ server, crm }: VaultTarget): {
  readonly documents: readonly JsonObject[];
  readonly environment: Readonly<Record<string, string>>;
} {
  const vault = {
    provider: 'vault',
    owner: 'platform',
    config: { address: server.address, auth: { method: 'jwt', role: 'mayfly' } },
  };
  const database = { provider: 'postgres', owner: 'crm-platform', config: { url: 'env:WAREHOUSE_DATABASE_URL' } };
  return {
    documents: [
      agentDocument('support-agent'),
      connectionDocument('vault-main', vault),
      connectionDocument(DATABASE_CONNECTION, database),
    ],
    environment: { WAREHOUSE_DATABASE_URL: crm.url },
  };
}

/** Builds a template with one credential of the target's database engine. */
export function warehouseTemplate(
  name: string,
  role: string,
  scope: JsonObject = {},
  spec: JsonObject = {},
): JsonObject {
  const credential = {
    name: 'warehouse',
    provider: 'vault',
    connection: 'vault-main',
    scope: { path: `database/creds/${role}`, method: 'read', ...scope },
  };
  const lifetime = { defaultSeconds: 600, maxSeconds: 1800 };
  return templateDocument(name, { lifetime, credentials: [credential], ...spec });
}

/** Makes the server trust this broker's identity tokens, after the broker has published its keys. */
export async function trustBroker(target: VaultTarget, { url, broker }: TestBroker): Promise<void> {
  const keys = `${url}/federation/jwks.json`;
  await until('the federation keys are there', 10, async () => (await fetch(keys)).ok);
  const { issuer } = broker.services.federationTokens;
  const { status } = await target.root('POST', 'auth/jwt/config', { jwks_url: keys, bound_issuer: issuer });
  if (status >= 300) throw new Error('the server does not take the issuer');
}
