import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@mayfly/kernel';
import { FakeAwsTarget } from '../contract/aws-fake-target.js';
import { startFake } from '../contract/vault-server.js';
import { DATABASE_CONNECTION, VaultTarget } from '../contract/vault-target.js';
import { awsConnection, awsEnvironment, exportTemplate } from './aws-documents.js';
import { openDatabaseScene, type BrokerProcess, type DatabaseScene } from './broker-process.js';
import { agentDocument, connectionDocument, databaseCredential, templateDocument, yamlOf } from './declared.js';
import { until } from './until.js';
import { leaseRoles } from './target.js';
import { vaultConnections, warehouseTemplate } from './vault-documents.js';

/** Every kind of back end; each is also the name of a template with one credential there. */
export const PROVIDERS = ['postgres', 'signed-token', 'vault', 'aws-sts'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

/** The template with a credential at every back end. Its tasks hand the other templates on. */
export const FAMILY = 'family';

const LIFETIME = { defaultSeconds: 1200, maxSeconds: 3600 };
/** Many leases live at once, and the server has few connections for them. */
const CASES = { url: 'env:CRM_DATABASE_URL', maxConnections: 1 };
const NO_LIMIT = { tasksPerMinute: 100_000, concurrentTasks: 100_000 };

/** Processes of the broker on one database, in front of a PostgreSQL, an enforcing Vault and an enforcing AWS. */
export interface BackEndsScene extends DatabaseScene {
  readonly vault: VaultTarget;
  readonly aws: FakeAwsTarget;
  /** lease roles that existed at the PostgreSQL before */
  readonly others: readonly string[];
  /** Makes Vault trust the identity tokens that the processes sign, by the keys that one of them publishes. */
  trust(broker: BrokerProcess): Promise<void>;
}

export async function openBackEnds(agents: readonly string[]): Promise<BackEndsScene> {
  const [vault, aws] = await Promise.all([VaultTarget.open(startFake), FakeAwsTarget.open()]);
  // A busy machine may fail for a second; the server itself waits for 10 s before its second try.
  vault.server.fake!.leases.backoffMs = 1_000;
  const { documents, environment } = vaultConnections(vault);
  const scene = await openDatabaseScene(
    yamlOf(
      ...documents.filter(({ kind }) => kind !== 'Agent'),
      ...agents.map((name) => agentDocument(name)),
      ...[connectionDocument('cases', { config: CASES }), awsConnection(aws.target)],
      ...templates(aws),
    ),
  );
  const sealingKey = randomBytes(32).toString('hex');
  const ours = { ...environment, ...awsEnvironment(aws.target), MAYFLY_SEALING_KEY: sealingKey };
  return {
    ...scene,
    ...{ vault, aws, others: await leaseRoles(scene.targetUrl) },
    start: (more) => scene.start({ ...ours, ...more }),
    trust: (broker) => trust(vault, broker),
    close: async () => {
      await scene.close();
      await aws.close();
      await vault.close();
    },
  };
}

/** One template for each back end, and the family with all of them. */
function templates({ target, role }: FakeAwsTarget): readonly JsonObject[] {
  const token = templateDocument('signed-token');
  const specs = [
    { spec: { credentials: [databaseCredential('cases')] } },
    token,
    warehouseTemplate('vault', 'reader', { endSessions: DATABASE_CONNECTION }),
    exportTemplate(target, role),
  ] as readonly { readonly spec: { readonly credentials: readonly JsonObject[] } }[];
  const credentials = specs.flatMap(({ spec }) => spec.credentials);
  const delegation = { templates: [...PROVIDERS], maxDepth: 1, maxChildren: 20 };
  return [
    ...PROVIDERS.map((name, place) =>
      templateDocument(name, { ...{ lifetime: LIFETIME, quota: NO_LIMIT }, credentials: [credentials[place]!] }),
    ),
    templateDocument(FAMILY, { ...{ lifetime: LIFETIME, quota: NO_LIMIT }, credentials, delegation }),
  ];
}

async function trust(vault: VaultTarget, { url }: BrokerProcess): Promise<void> {
  const keys = `${url}/federation/jwks.json`;
  await until('the federation keys are there', 30, async () => (await fetch(keys)).ok);
  const discovered = await fetch(`${url}/federation/.well-known/openid-configuration`);
  const { issuer } = (await discovered.json()) as { readonly issuer: string };
  const { status } = await vault.root('POST', 'auth/jwt/config', { jwks_url: keys, bound_issuer: issuer });
  if (status >= 300) throw new Error('the server does not take the issuer');
}
