// Measures what Mayfly adds to a back end's own call, and how long it takes until a task that ends is refused there:
// AWS sessions on a real STS engine (Debian's radosgw), Vault secrets on a real server where `bao` or `vault` is on the
// PATH, else on the enforcing fake. Pairs in turn, in one run; medians. Prints tables; asserts nothing. Loopback only.
// `node --import ./test/load/run.mjs test/load/back-ends.mjs`
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import pg from 'pg';
import { AwsTarget } from '../contract/aws-target.js';
import { startRgw } from '../contract/rgw-server.js';
import { vaultServers } from '../contract/vault-server.js';
import { DATABASE_CONNECTION, VaultTarget } from '../contract/vault-target.js';
import { awsConnection, awsEnvironment, EXPORT_AGENT, exportTemplate } from '../support/aws-documents.js';
import { openDatabaseScene } from '../support/broker-process.js';
import { yamlOf } from '../support/declared.js';
import { rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';
import { vaultConnections, warehouseTemplate } from '../support/vault-documents.js';
import { median, percentile } from './service.mjs';

const CALLS = Number(process.env.LOAD_CALLS ?? 150);
const ENDS = Number(process.env.LOAD_ENDS ?? 1_000);
const AMPLE = { quota: { tasksPerMinute: 1_000_000, concurrentTasks: 1_000_000 } };

async function timed(inFlight, count, call) {
  const taken = [];
  let asked = 0;
  const worker = async () => {
    while (asked++ < count) {
      const began = performance.now();
      await call();
      taken.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return taken;
}

/** The bare call and Mayfly's, in turn, three rounds each. */
async function compare(what, bare, mayfly) {
  const rows = [];
  for (const inFlight of [1, 8]) {
    const rounds = [];
    await timed(inFlight, 20, bare);
    await timed(inFlight, 20, mayfly);
    for (let round = 0; round < 3; round += 1)
      rounds.push([await timed(inFlight, CALLS, bare), await timed(inFlight, CALLS, mayfly)]);
    for (const [name, side] of [
      [`${what}, the bare call`, 0],
      [`${what}, POST /tasks`, 1],
    ])
      rows.push({
        what: name,
        'in flight': inFlight,
        'p50 ms': median(rounds.map((round) => median(round[side]))).toFixed(1),
        'p99 ms': median(rounds.map((round) => percentile(round[side], 0.99))).toFixed(1),
      });
    const ratio = median(rounds.map(([one, other]) => median(other) / median(one)));
    rows.push({ what: 'ratio of p50, pair by pair', 'in flight': inFlight, 'p50 ms': ratio.toFixed(2) });
  }
  console.table(rows);
}

async function sceneOf(documents, environment) {
  const scene = await openDatabaseScene(documents);
  const broker = await scene.start({ ...environment, MAYFLY_LOG_LEVEL: 'error' });
  const ask = async (template) => {
    const token = await scene.agentToken('support-agent');
    const { status, body } = await broker.send('POST /tasks', {
      token,
      body: { template, parameters: {}, purpose: 'measure' },
    });
    if (status !== 201) throw new Error(`a request was answered with ${status}: ${JSON.stringify(body)}`);
    return body;
  };
  const complete = async ({ id }) =>
    broker.send(`POST /tasks/${id}/complete`, { token: await scene.agentToken('support-agent') });
  return { scene, broker, ask, complete };
}

async function measureAws() {
  const rgw = await startRgw();
  const target = await AwsTarget.open({ ...rgw, name: 'rgw', account: '', clock: { now: () => new Date() } });
  const role = await target.createRole();
  const template = exportTemplate(target, role, AMPLE);
  const { scene, broker, ask, complete } = await sceneOf(
    yamlOf(EXPORT_AGENT, awsConnection(target, { propagationSeconds: 0 }), template),
    awsEnvironment(target),
  );
  const sts = new STSClient({ endpoint: rgw.endpoint, region: 'eu-central-1', maxAttempts: 1, credentials: rgw });
  const { scope } = template.spec.credentials[0];
  const Policy = JSON.stringify(scope.policy);
  let number = 0;
  const bare = () =>
    sts.send(
      new AssumeRoleCommand({ RoleArn: role, RoleSessionName: `bare-${(number += 1)}`, DurationSeconds: 900, Policy }),
    );
  await compare('AWS session', bare, () => ask('support-export-bucket'));

  const refused = [];
  for (let round = 0; round < 30; round += 1) {
    const task = await ask('support-export-bucket');
    const read = target.readerOf(task.credentials[0].secret);
    await read();
    const began = performance.now();
    const ending = complete(task);
    while (await read());
    refused.push(performance.now() - began);
    await ending;
    // Two writes of one role have half a second between them; here each end finds the role idle.
    await new Promise((resolve) => setTimeout(resolve, 600));
  }
  const tasks = [];
  await timed(32, ENDS, async () => tasks.push(await ask('support-export-bucket')));
  const [{ n: before }] = await rowsOf(scene.database.adminUrl, 'SELECT sum(revision)::int AS n FROM denial_document');
  const began = performance.now();
  const left = [...tasks];
  await timed(32, tasks.length, () => complete(left.pop()));
  const seconds = (performance.now() - began) / 1000;
  const [{ n: after }] = await rowsOf(scene.database.adminUrl, 'SELECT sum(revision)::int AS n FROM denial_document');
  console.table([
    {
      what: 'AWS: complete → refused (no window), ms',
      p50: median(refused).toFixed(0),
      p99: percentile(refused, 0.99).toFixed(0),
    },
    { what: `documents written for ${ENDS} ends of one role in ${seconds.toFixed(0)} s`, p50: String(after - before) },
  ]);
  await broker.stop();
  await scene.close();
  await target.close();
}

async function measureVault() {
  const [name, startServer] = vaultServers().at(-1);
  const target = await VaultTarget.open(startServer);
  const { documents, environment } = vaultConnections(target);
  const template = warehouseTemplate('warehouse', 'reader', { endSessions: DATABASE_CONNECTION }, AMPLE);
  const { scene, broker, ask, complete } = await sceneOf(yamlOf(...documents, template), environment);
  const keys = `${broker.url}/federation/jwks.json`;
  await until('the federation keys are there', 20, async () => (await fetch(keys)).ok);
  const { issuer } = await (await fetch(`${broker.url}/federation/.well-known/openid-configuration`)).json();
  await target.root('POST', 'auth/jwt/config', { jwks_url: keys, bound_issuer: issuer });
  const policy = 'bare-reader';
  await target.root('POST', `sys/policies/acl/mayfly-${policy}`, {
    policy: JSON.stringify({ path: { 'database/creds/reader': { capabilities: ['read'] } } }),
  });
  const bare = async () => {
    const body = { policies: [`mayfly-${policy}`], no_default_policy: true, ttl: '600s', explicit_max_ttl: '600s' };
    const made = await target.root('POST', 'auth/token/create/mayfly', body);
    const headers = { 'x-vault-token': made.body.auth.client_token };
    const read = await fetch(`${target.server.address}/v1/database/creds/reader`, { headers });
    if (!read.ok) throw new Error(`the bare read was answered with ${read.status}`);
    await read.json();
  };
  await compare(`Vault secret (${name})`, bare, () => ask('warehouse'));

  const dead = [];
  for (let round = 0; round < 30; round += 1) {
    const task = await ask('warehouse');
    const url = new URL(target.crm.loginUrl);
    Object.assign(url, {
      username: task.credentials[0].secret.username,
      password: task.credentials[0].secret.password,
    });
    const client = new pg.Client({ connectionString: url.href });
    client.on('error', () => undefined);
    await client.connect();
    const ended = new Promise((resolve) => client.once('end', () => resolve(performance.now())));
    const began = performance.now();
    const ending = complete(task);
    dead.push((await ended) - began);
    await ending;
  }
  console.table([
    {
      what: 'Vault: complete → open session dead, ms',
      p50: median(dead).toFixed(0),
      p99: percentile(dead, 0.99).toFixed(0),
    },
  ]);
  await broker.stop();
  await scene.close();
  await target.close();
}

await measureAws();
await measureVault();
process.exit(0);
