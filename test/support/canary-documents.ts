import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@mayfly/kernel';
import { BROKEN_ANSWERS, type BrokenAnswerName } from './broken-answers.js';
import type { Canaries } from './canaries.js';
import { lettersOf, type CanaryBackEnds } from './canary-back-ends.js';
import { agentDocument, connectionDocument, templateDocument, yamlOf } from './documents.js';

export const BREAKS = Object.keys(BROKEN_ANSWERS) as readonly BrokenAnswerName[];

/** The back ends whose answers break, each with a connection and a template for each way of breaking. */
export const BREAKING = ['vault', 'aws', 'web'] as const;
export type Breaking = (typeof BREAKING)[number];

/** Returns the template and the connection for answers of a back end that break in this way. */
export function breakingName(backEnd: Breaking, how: BrokenAnswerName): string {
  return `${backEnd}-${String(BREAKS.indexOf(how))}`;
}

export interface CanaryDocuments {
  readonly documents: string;
  readonly environment: Readonly<Record<string, string>>;
  /** the folder of the secret files */
  readonly secretsDir: string;
}

/**
 * Plants the secrets of the connections, sets up the back ends that they log in at, and declares connections and
 * templates. A template has the name of its connection; `both` has one credential of each back end.
 */
export async function canaryDocuments(
  backEnds: CanaryBackEnds,
  canaries: Canaries,
  publicUrl: string,
): Promise<CanaryDocuments> {
  const secretsDir = mkdtempSync(join(tmpdir(), 'mayfly-canary-'));
  const file = (name: string, kind: string, secret: string): string => {
    canaries.plantSeen(kind, secret);
    writeFileSync(join(secretsDir, name), `${secret}\n`, { mode: 0o600 });
    return `file:${join(secretsDir, name)}`;
  };
  const { connections: vaults, environment: ofVault } = await vaultConnections(backEnds, canaries, file);
  const { auths, environment: ofAws } = awsLogins(backEnds, canaries, file);
  const roles = await rolesOf(backEnds, publicUrl, Object.keys(auths));
  const accounts = awsConnections(backEnds, auths, roles);
  const templates = [
    ...Object.keys(vaults).map((name) =>
      templateDocument(name, { lifetime: LIFETIME, credentials: [vaultCredential(name)] }),
    ),
    ...Object.entries(roles).map(([name, role]) =>
      templateDocument(name, { lifetime: LIFETIME, credentials: [awsCredential(backEnds, name, role)] }),
    ),
    templateDocument('both', {
      lifetime: LIFETIME,
      credentials: [vaultCredential('vault-approle'), awsCredential(backEnds, 'aws-static', roles['aws-static'] ?? '')],
    }),
  ];
  const connections = Object.entries({ ...vaults, ...accounts }).map(([name, spec]) => connectionDocument(name, spec));
  const agents = ['support-agent', 'doomed-agent'].map((name) => agentDocument(name));
  return {
    documents: yamlOf(...agents, ...connections, connectionDocument('crm', DATABASE), ...templates),
    environment: { WAREHOUSE_DATABASE_URL: backEnds.vault.crm.url, ...ofVault, ...ofAws },
    secretsDir,
  };
}

/** Builds a template for users whose sessions nobody ends: its author asks Vault about their role. */
export function draftAt(connection: string): JsonObject {
  const scope = { path: 'database/creds/tidy', method: 'read' };
  const credentials = [{ name: 'warehouse', provider: 'vault', connection, scope }];
  return templateDocument('draft', { lifetime: LIFETIME, credentials });
}

const LIFETIME = { defaultSeconds: 600, maxSeconds: 1800 };
const DATABASE = { provider: 'postgres', owner: 'crm-platform', config: { url: 'env:WAREHOUSE_DATABASE_URL' } };

type WriteFile = (name: string, kind: string, secret: string) => string;

interface Connections {
  readonly connections: Readonly<Record<string, JsonObject>>;
  readonly environment: Readonly<Record<string, string>>;
}

async function vaultConnections({ vault }: CanaryBackEnds, canaries: Canaries, file: WriteFile): Promise<Connections> {
  canaries.plant('password of the warehouse', new URL(vault.crm.url).password);
  const secretId = lettersOf('approle');
  await vault.root('POST', 'auth/approle/role/mayfly/custom-secret-id', { secret_id: secretId });
  const { body } = await vault.root('POST', 'auth/token/create', { policies: ['mayfly-broker'], ttl: '3600s' });
  const token = (body as { auth: { client_token: string } }).auth.client_token;
  canaries.plant('fixed token of Vault', token);
  const odd = `${lettersOf('odd')}\nand "more" <of> it/${lettersOf('odd')}`;
  const approle = (secret: string) => ({ method: 'approle', roleId: 'role-mayfly', secretId: secret });
  const known = approle(file('secret-id', 'secret id of Vault', secretId));
  const auths: Readonly<Record<string, JsonObject>> = {
    'vault-approle': known,
    'vault-token': { method: 'token', token: 'env:VAULT_FIXED_TOKEN' },
    'vault-jwt': { method: 'jwt', role: 'mayfly' },
    'vault-signed': { method: 'token', token: 'env:VAULT_FIXED_TOKEN' },
    'vault-fixed': { method: 'token', token: 'env:VAULT_FIXED_TOKEN' },
    'vault-wrong': approle(file('wrong-id', 'wrong secret id', lettersOf('wrong'))),
    'vault-odd': { method: 'token', token: file('odd-token', 'odd token', odd) },
    ...Object.fromEntries(BREAKS.map((how) => [breakingName('vault', how), known])),
  };
  await vault.root('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.root('POST', 'sys/mounts/secret', { type: 'kv' });
  await vault.root('POST', 'secret/data/crm', { data: { apiKey: `${lettersOf('static')}/+"\\&<é>` } });
  const connections = Object.fromEntries(
    Object.entries(auths).map(([name, auth]) => [
      name,
      { provider: 'vault', owner: 'platform', config: { address: vault.server.address, auth } },
    ]),
  );
  return { connections, environment: { VAULT_FIXED_TOKEN: token } };
}

function vaultCredential(connection: string): JsonObject {
  const scopes: Readonly<Record<string, JsonObject>> = {
    'vault-signed': { path: 'pki/issue/crm', method: 'write', body: { common_name: 'crm.example' } },
    'vault-fixed': { path: 'secret/data/crm', method: 'read' },
  };
  const scope = scopes[connection] ?? { path: 'database/creds/tidy', method: 'read', endSessions: 'crm' };
  return { name: 'warehouse', provider: 'vault', connection, scope };
}

/** Ids of keys, which are no secrets. */
const [KEY_ID, SESSION_KEY_ID] = ['AKIACANARYCANARY0001', 'ASIACANARYCANARY0002'];

function awsLogins({ aws }: CanaryBackEnds, canaries: Canaries, file: WriteFile) {
  const { account, admin } = aws.fake;
  const secret = `${lettersOf('key')}/+"\\&<é>`;
  const [sessionSecret, sessionToken] = [`${lettersOf('key')}+/=`, `${lettersOf('session')}+/==`];
  canaries.plant('secret key at AWS', secret);
  account.principals.set(KEY_ID, { ...admin, secretAccessKey: secret });
  account.principals.set(SESSION_KEY_ID, { ...admin, secretAccessKey: sessionSecret, token: sessionToken });
  const keys = (accessKeyId: string, secretAccessKey: string) => ({ method: 'static', accessKeyId, secretAccessKey });
  const session = {
    ...keys('env:SESSION_ACCESS_KEY_ID', file('session-key', 'session key at AWS', sessionSecret)),
    sessionToken: file('session-token', 'session token at AWS', sessionToken),
  };
  const byToken = { method: 'web-identity', roleArn: 'arn:aws:iam::123456789012:role/mayfly' };
  const wrong = keys('env:CRM_ACCESS_KEY_ID', file('wrong-key', 'wrong key at AWS', `${lettersOf('wrong')}+/`));
  const auths: Readonly<Record<string, JsonObject>> = {
    'aws-static': keys('env:CRM_ACCESS_KEY_ID', 'env:CRM_SECRET_ACCESS_KEY'),
    'aws-session': session,
    'aws-web': byToken,
    'aws-wrong': wrong,
    ...Object.fromEntries(BREAKS.map((how) => [breakingName('aws', how), session])),
    ...Object.fromEntries(BREAKS.map((how) => [breakingName('web', how), byToken])),
  };
  const environment = {
    ...{ CRM_ACCESS_KEY_ID: KEY_ID, CRM_SECRET_ACCESS_KEY: secret },
    SESSION_ACCESS_KEY_ID: SESSION_KEY_ID,
  };
  return { auths, environment };
}

function awsConnections(
  { aws }: CanaryBackEnds,
  auths: Readonly<Record<string, JsonObject>>,
  roles: Readonly<Record<string, string>>,
): Readonly<Record<string, JsonObject>> {
  const { endpoint } = aws.fake;
  const connections = Object.entries(auths).map(([name, auth], index) => {
    const config = {
      ...{ region: 'eu-central-1', auth, endpoints: { sts: endpoint, iam: endpoint } },
      revocation: { mode: 'role-policy', propagationSeconds: 0 },
      roles: [roles[name] ?? ''],
      // differs, so that no connection uses the clients of another
      maxSessionSeconds: 3600 - index,
    };
    return [name, { provider: 'aws-sts', owner: 'cloud-platform', config }] as const;
  });
  return Object.fromEntries(connections);
}

/** Creates one role for each connection, which trusts Mayfly's user and Mayfly's identity tokens. */
async function rolesOf(
  { aws }: CanaryBackEnds,
  publicUrl: string,
  connections: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const { account } = aws.fake;
  const issuer = `${publicUrl}/federation`.replace('http://', '');
  account.oidcProviders.set(issuer, { url: issuer, clientIds: ['sts.amazonaws.com'] });
  const trust = [
    { Effect: 'Allow', Principal: { AWS: [aws.target.aws.user] }, Action: ['sts:*'] },
    {
      Effect: 'Allow',
      Principal: { Federated: [`arn:aws:iam::${aws.target.aws.account}:oidc-provider/${issuer}`] },
      Action: ['sts:*'],
    },
  ];
  const rights = [{ Effect: 'Allow', Action: '*', Resource: '*' }];
  const roles = await Promise.all(
    connections.map(async (name) => [name, await aws.target.createRole({ trust, rights })] as const),
  );
  const [, own] = roles[0] ?? [];
  if (own !== undefined) addMayflyRole(aws.fake.account, own);
  return Object.fromEntries(roles);
}

/** Adds the role `mayfly`, which Mayfly takes by its identity token for its calls to IAM. */
function addMayflyRole(account: CanaryBackEnds['aws']['fake']['account'], like: string): void {
  const role = account.role(like);
  account.roles.set('mayfly', {
    ...role,
    name: 'mayfly',
    arn: 'arn:aws:iam::123456789012:role/mayfly',
    id: 'AROAMAYFLY',
  });
}

function awsCredential({ aws }: CanaryBackEnds, connection: string, roleArn: string): JsonObject {
  const statement = {
    Effect: 'Allow',
    Action: ['s3:GetObject'],
    Resource: `arn:aws:s3:::${aws.target.bucket}/reports/*`,
  };
  const scope = { roleArn, policy: { Version: '2012-10-17', Statement: [statement] } };
  return { name: 'bucket', provider: 'aws-sts', connection, scope };
}
