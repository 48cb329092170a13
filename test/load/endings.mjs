// Counts what a crash leaves behind, on a real STS engine (Debian's radosgw) with sessions that are really tried:
// 1. the service is killed between the engine's mint and its own record, again and again, with 16 requests in flight;
// 2. thousands of tasks are completed, 2 and 16 in flight, and the service is then ended by SIGTERM and by SIGKILL.
// Prints tables; asserts nothing. Loopback only. `node --import ./test/load/run.mjs test/load/endings.mjs`
import { startRgw } from '../contract/rgw-server.js';
import { AwsTarget } from '../contract/aws-target.js';
import {
  awsConnection,
  awsEnvironment,
  EXPORT_AGENT,
  EXPORT_REQUEST,
  exportTemplate,
} from '../support/aws-documents.js';
import { openDatabaseScene } from '../support/broker-process.js';
import { yamlOf } from '../support/declared.js';
import { rowsOf } from '../support/rows.js';
import { startRecordingProxy } from './recording-proxy.mjs';

const KILLS = Number(process.env.LOAD_KILLS ?? 200);
const ENDS = Number(process.env.LOAD_ENDS ?? 4_000);
const ROLES = Number(process.env.LOAD_ROLES ?? 24);
const IN_FLIGHT = 16;

const rgw = await startRgw();
const proxy = await startRecordingProxy(rgw.endpoint);
const aws = { ...rgw, name: 'rgw', account: '', clock: { now: () => new Date() } };
const target = await AwsTarget.open(aws);
const roles = await Promise.all(Array.from({ length: ROLES }, () => target.createRole()));
const templates = roles.map((role, index) => {
  const template = exportTemplate(target, role, { quota: { tasksPerMinute: 1_000_000, concurrentTasks: 1_000_000 } });
  return { ...template, metadata: { ...template.metadata, name: `export-${index}` } };
});
const connection = awsConnection({ ...target, aws: { ...aws, endpoint: proxy.endpoint } });
const scene = await openDatabaseScene(yamlOf(EXPORT_AGENT, connection, ...templates));
const environment = { ...awsEnvironment(target), MAYFLY_LOG_LEVEL: 'error' };
const count = async (text) => (await rowsOf(scene.database.adminUrl, `SELECT count(*)::int AS n FROM ${text}`))[0].n;

async function request(broker, route, index) {
  const token = await scene.agentToken('support-agent');
  const body = route === 'POST /tasks' ? { ...EXPORT_REQUEST, template: `export-${index % ROLES}` } : undefined;
  return broker.send(route, { token, ...(body && { body }) });
}

async function inFlight(size, items, work) {
  const left = [...items];
  await Promise.all(
    Array.from({ length: size }, async () => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
    }),
  );
}

async function settled() {
  const began = performance.now();
  while ((await count(`lease WHERE state IN ('minting', 'revoking')`)) > 0) {
    if (performance.now() - began > 180_000) throw new Error('leases are still open after three minutes');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return (performance.now() - began) / 1000;
}

async function alive(sessions) {
  let usable = 0;
  await inFlight(16, sessions, async ({ secret }) => {
    if (await target.isAlive(secret)) usable += 1;
  });
  return usable;
}

async function killBetweenMintAndRecord() {
  for (let kill = 0; kill < KILLS; kill += 1) {
    const broker = await scene.start({ ...environment, MAYFLY_FAILPOINT: 'mint' });
    const asked = Array.from({ length: IN_FLIGHT }, (_, index) =>
      request(broker, 'POST /tasks', index).catch(() => undefined),
    );
    await broker.exited;
    await Promise.all(asked);
    if ((kill + 1) % 20 === 0) console.log(`${kill + 1} kills`);
  }
  const minted = proxy.sessions.splice(0);
  const recorded = new Set((await rowsOf(scene.database.adminUrl, 'SELECT id FROM lease')).map(({ id }) => id));
  const broker = await scene.start(environment);
  const recoverySeconds = await settled();
  const usable = await alive(minted);
  await broker.stop();
  console.table([
    {
      kills: KILLS,
      'in flight': IN_FLIGHT,
      'sessions minted': minted.length,
      'of them recorded': minted.filter(({ leaseId }) => recorded.has(leaseId)).length,
      'usable after recovery': usable,
      'recovery after the last start, s': recoverySeconds.toFixed(1),
    },
  ]);
}

async function endAndRestart(size) {
  const broker = await scene.start(environment);
  const tasks = [];
  await inFlight(
    32,
    Array.from({ length: ENDS / 2 }, (_, index) => index),
    async (index) => {
      const { status, body } = await request(broker, 'POST /tasks', index);
      if (status !== 201) throw new Error(`a request was answered with ${status}: ${JSON.stringify(body)}`);
      tasks.push({ id: body.id, secret: body.credentials[0].secret });
    },
  );
  let acknowledged = 0;
  const began = performance.now();
  await inFlight(size, tasks, async ({ id }) => {
    const { status } = await request(broker, `POST /tasks/${id}/complete`);
    if (status === 200) acknowledged += 1;
  });
  const seconds = (performance.now() - began) / 1000;
  const afterEnds = await alive(tasks);
  await broker.stop();
  const second = await scene.start(environment);
  await second.kill();
  const third = await scene.start(environment);
  const afterRestarts = await alive(tasks);
  const writes = await count(`denial_document WHERE revision > 0`);
  await settled();
  await third.stop();
  console.table([
    {
      'acknowledged ends': acknowledged,
      'in flight': size,
      'per s': Math.round(acknowledged / seconds),
      'usable right after': afterEnds,
      'usable after SIGTERM and SIGKILL': afterRestarts,
      'roles with a document': writes,
    },
  ]);
}

try {
  if (KILLS > 0) await killBetweenMintAndRecord();
  if (ENDS > 0) for (const size of [2, 16]) await endAndRestart(size);
  const [{ writes }] = await rowsOf(
    scene.database.adminUrl,
    'SELECT coalesce(sum(revision), 0)::int AS writes FROM denial_document',
  );
  console.log(`documents written in all: ${writes}, for ${KILLS} kills and ${ENDS} ends at ${ROLES} roles`);
} finally {
  await scene.close();
  await target.close();
  await proxy.stop();
  process.exit(0);
}
