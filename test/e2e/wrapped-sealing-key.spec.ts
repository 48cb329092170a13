import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestPostgres, type TestDatabase } from '@mayfly/testing';
import { startFake, type VaultServer } from '../contract/vault-server.js';
import type { VaultFake } from '../contract/vault-fake/vault-fake.js';
import { newTestIssuers, startTestBroker, type TestBroker } from '../support/broker.js';
import { templateDocument, yamlOf } from '../support/documents.js';
import { agentDocument } from '../support/declared.js';
import { grant } from '../support/tasks.js';

/** The policy of docs/deploy.md, in its JSON form, for the decryption by one key. */
const policyFor = (...paths: string[]) =>
  JSON.stringify({ path: Object.fromEntries(paths.map((path) => [path, { capabilities: ['update'] }])) });
const POLICY = policyFor('transit/decrypt/*', 'elsewhere/decrypt/*');
/** The programs of the commands in docs/deploy.md. */
const missing = ['curl', 'jq', 'xxd'].filter((name) => spawnSync(name, ['--version']).error !== undefined);
if (missing.length > 0)
  console.warn(`SKIPPED SUITE a sealing key that Vault wrapped: ${missing.join(', ')} is not installed`);
const describeWithTools = missing.length > 0 ? describe.skip : describe;
const issuers = newTestIssuers();
const documents = yamlOf(agentDocument('support-agent'), templateDocument('token'));

let server: VaultServer & { readonly fake: VaultFake };
let directory: string;
let database: TestDatabase;
let login: { readonly roleId: string; readonly secretId: string };

async function root(path: string, body: object = {}): Promise<Record<string, string>> {
  const answer = await fetch(`${server.address}/v1/${path}`, {
    method: 'POST',
    headers: { 'X-Vault-Token': server.rootToken },
    body: JSON.stringify(body),
  });
  if (answer.status >= 300) throw new Error(`${path}: ${await answer.text()}`);
  const text = await answer.text();
  return text === '' ? {} : (JSON.parse(text) as { data: Record<string, string> }).data;
}

beforeAll(async () => {
  server = await startFake();
  directory = await mkdtemp(join(tmpdir(), 'mayfly-wrapped-'));
  database = await (await startTestPostgres()).createDatabase();
  await root('sys/mounts/transit', { type: 'transit' });
  await root('transit/keys/mayfly');
  await root('sys/policies/acl/mayfly-sealing', { policy: POLICY });
  await root('sys/auth/approle', { type: 'approle' });
  await root('auth/approle/role/mayfly-sealing', { token_policies: ['mayfly-sealing'], token_ttl: 60 });
  const { role_id: roleId } = await (
    await fetch(`${server.address}/v1/auth/approle/role/mayfly-sealing/role-id`, {
      headers: { 'X-Vault-Token': server.rootToken },
    })
  )
    .json()
    .then((body) => (body as { data: { role_id: string } }).data);
  const { secret_id: secretId } = await root('auth/approle/role/mayfly-sealing/secret-id');
  login = { roleId, secretId: secretId! };
}, 60_000);
afterAll(async () => {
  await server.stop();
  await database.drop();
  await rm(directory, { recursive: true });
});

/** Runs the commands of a block of docs/deploy.md in a shell, as its reader does. */
async function runFromDocs(heading: string, environment: Record<string, string> = {}): Promise<string> {
  const page = await readFile('docs/deploy.md', 'utf8');
  const block = page.slice(page.indexOf(heading)).split('```sh\n')[1]?.split('```')[0] ?? '';
  const env = { PATH: process.env.PATH, VAULT_ADDR: server.address, VAULT_TOKEN: server.rootToken, ...environment };
  // The fake answers in this process, which must not wait for the shell.
  const { stdout, stderr } = await promisify(execFile)('sh', ['-e', '-c', block], { env, timeout: 20_000 });
  expect(stderr).toBe('');
  return stdout.trim();
}

async function fileOf(changes: object = {}): Promise<string> {
  const path = join(directory, 'sealing.yaml');
  await writeFile(join(directory, 'secret-id'), login.secretId);
  const auth = { method: 'approle', roleId: login.roleId, secretId: `file:${join(directory, 'secret-id')}` };
  await writeFile(path, JSON.stringify({ address: server.address, auth, key: 'mayfly', ...changes }));
  return path;
}

const start = async (sealingKey: string, file: object = {}, more: Record<string, string> = {}): Promise<TestBroker> =>
  startTestBroker({
    documents,
    environment: { MAYFLY_SEALING_KEY: sealingKey, MAYFLY_SEALING_VAULT_FILE: await fileOf(file), ...more },
    beside: { database, issuers },
  });
const refusal = (starting: Promise<TestBroker>): Promise<string> =>
  starting.then(
    async (broker) => {
      await broker.stop();
      return 'it started';
    },
    (error: unknown) => String(error),
  );

describeWithTools('a sealing key that Vault wrapped', () => {
  let wrapped: string;

  it('the commands of the docs make a wrapped key, with which the service starts, and Vault is asked once', async () => {
    wrapped = await runFromDocs('**Sealing key from Vault.**');
    expect(wrapped).toMatch(/^vault:v1:/);
    const broker = await start(wrapped);
    const asked = () => server.fake.calls.filter((call) => call.includes('transit/decrypt')).length;
    expect(asked()).toBe(1);
    server.fake.isSealed = true;
    await grant(broker, broker.agentToken('support-agent'), { template: 'token', purpose: 'answer a ticket' });
    server.fake.isSealed = false;
    expect(asked()).toBe(1);
    await broker.stop();
  }, 60_000);

  it('the login is given back after the start, and no key is in the output of the service', async () => {
    expect(server.fake.calls.at(-1)).toBe('POST auth/token/revoke-self');
  });

  it('a rewrapped key of a new version is the same key', async () => {
    await root('transit/keys/mayfly/rotate');
    const again = await runFromDocs('**Rotate the key in Vault.**', { MAYFLY_SEALING_KEY: wrapped });
    expect(again).toMatch(/^vault:v2:/);
    await (await start(again)).stop();
    await root('transit/keys/mayfly/config', { min_decryption_version: 2 });
    expect(await refusal(start(wrapped))).toMatch(
      /MAYFLY_SEALING_KEY.*older than `min_decryption_version`.*a rewrapped one/,
    );
    await root('transit/keys/mayfly/config', { min_decryption_version: 1 });
  }, 60_000);

  it('a plain key of before is wrapped by the commands of the docs, and stays the same key', async () => {
    const own = await (await startTestPostgres()).createDatabase();
    try {
      const plain = randomBytes(32).toString('hex');
      const beside = { database: own, issuers };
      const before = await startTestBroker({ documents, environment: { MAYFLY_SEALING_KEY: plain }, beside });
      const { kid } = before.broker.services.keyRing.signer();
      await before.stop();
      const ciphertext = await runFromDocs('**Wrap the key that you have.**', { MAYFLY_SEALING_KEY: plain });
      const environment = { MAYFLY_SEALING_KEY: ciphertext, MAYFLY_SEALING_VAULT_FILE: await fileOf() };
      const after = await startTestBroker({ documents, environment, beside });
      expect(after.broker.services.keyRing.signer().kid).toBe(kid);
      await after.stop();
    } finally {
      await own.drop();
    }
  }, 60_000);

  it('a wrapped previous key opens what it sealed', async () => {
    const next = await runFromDocs('**Sealing key from Vault.**');
    await (await start(next, {}, { MAYFLY_SEALING_KEY_PREVIOUS: wrapped })).stop();
    expect(await refusal(start(next))).toMatch(/another key sealed the signing keys/);
  }, 60_000);

  const damaged = () => `${wrapped.slice(0, 20)}${wrapped[20] === 'A' ? 'B' : 'A'}${wrapped.slice(21)}`;
  it.each([
    ['a wrong name of the key', () => start(wrapped, { key: 'other' }), /there is no key `other` in `transit`/],
    ['a damaged ciphertext', () => start(damaged()), /key `mayfly` did not wrap it, or it is damaged/],
    ['a wrong mount', () => start(wrapped, { mount: 'elsewhere' }), /no transit engine is at `elsewhere`/],
    [
      'a wrong secret',
      () => start(wrapped, { auth: { method: 'approle', roleId: login.roleId, secretId: 'no' } }),
      /login/,
    ],
    [
      'a login by identity token',
      () => start(wrapped, { auth: { method: 'jwt', role: 'x' } }),
      /auth \(use kubernetes or approle/,
    ],
    ['an unreachable server', () => start(wrapped, { address: 'http://127.0.0.1:1' }), /vault cannot be reached/],
    ['a file that lacks the key', () => start(wrapped, { key: undefined }), /MAYFLY_SEALING_VAULT_FILE: correct key/],
  ])(
    '%s stops the start with the setting and what to change',
    async (_, starting, words) => {
      const text = await refusal(starting());
      expect(text).toMatch(/MAYFLY_SEALING_(KEY|VAULT_FILE)/);
      expect(text).toMatch(words);
      expect(text).not.toContain(wrapped.slice('vault:v1:'.length, 40));
      expect(text).not.toContain(login.secretId);
    },
    30_000,
  );

  it('a login without the right stops the start and names the path to allow', async () => {
    await root('sys/policies/acl/mayfly-sealing', { policy: policyFor('transit/decrypt/else') });
    expect(await refusal(start(wrapped))).toMatch(/allow `update` on `transit\/decrypt\/mayfly`/);
    await root('sys/policies/acl/mayfly-sealing', { policy: POLICY });
  }, 30_000);

  it('a sealed Vault stops the start and says so', async () => {
    server.fake.isSealed = true;
    expect(await refusal(start(wrapped))).toMatch(
      /MAYFLY_SEALING_KEY, unwrapped by MAYFLY_SEALING_VAULT_FILE: vault is sealed/,
    );
    server.fake.isSealed = false;
  }, 30_000);

  it('a wrapped key without the file stops the start and names the file', async () => {
    const environment = { MAYFLY_SEALING_KEY: wrapped };
    expect(await refusal(startTestBroker({ documents, environment, beside: { database, issuers } }))).toMatch(
      /MAYFLY_SEALING_VAULT_FILE is not set/,
    );
  });
});
