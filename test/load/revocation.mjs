// Measures, for each back end, how long a credential lives after the end of its task: requested → effective, as the lease
// says, and requested → refused at the target, seen by a client that uses the credential until it is refused. Half of the
// tasks are completed by their agents, the other half are revoked by an operator (DELETE /tasks/:id). One at a time, then 16
// at a time, which gives ends per second. AWS is a real STS engine (Debian's radosgw); Vault is a real server where `bao` or
// `vault` is on the PATH, else the enforcing fake. Prints a table; asserts nothing. Loopback only.
// `npm run measure:revocation`; LOAD_ENDS changes the ends of each row, LOAD_BACK_ENDS names some back ends.
import { cpus } from 'node:os';
import pg from 'pg';
import { AwsTarget } from '../contract/aws-target.js';
import { startRgw } from '../contract/rgw-server.js';
import { vaultServers } from '../contract/vault-server.js';
import { DATABASE_CONNECTION, VaultTarget } from '../contract/vault-target.js';
import { awsConnection, awsEnvironment, EXPORT_AGENT, exportTemplate } from '../support/aws-documents.js';
import { openDatabaseScene } from '../support/broker-process.js';
import { agentDocument, templateDocument, yamlOf } from '../support/declared.js';
import { postForm } from '../support/form.js';
import { READ_CASES, starterWith } from '../support/starter.js';
import { until } from '../support/until.js';
import { vaultConnections, warehouseTemplate } from '../support/vault-documents.js';
import { report } from './report.mjs';
import { inFlight } from './requests.mjs';
import { percentile } from './service.mjs';

const ENDS = Number(process.env.LOAD_ENDS ?? 200);
const AT_ONCE = 16;
const WAVE = 20;
/** The tasks that one call ends, with an open session each: what the shared test server has room for. */
const SESSIONS = Number(process.env.LOAD_SESSIONS ?? 20);
const AGENT = 'support-agent';
const AMPLE = { quota: { tasksPerMinute: 1_000_000, concurrentTasks: 1_000_000 } };
/** Sessions of this many roles end in turn: two writes of one role's deny policy have half a second between them. */
const ROLES = 12;

/** Starts the service on the documents; `ask` grants one task, `end` ends it. */
async function serviceOf(documents, environment) {
  const scene = await openDatabaseScene(documents);
  const broker = await scene.start({ ...environment, MAYFLY_LOG_LEVEL: 'error' });
  const send = async (route, token, body) => {
    const answer = await broker.send(route, { token, ...(body && { body }) });
    if (answer.status > 201)
      throw new Error(`${route} was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const ask = async (template) =>
    send('POST /tasks', await scene.agentToken(AGENT), { template, parameters: {}, purpose: 'measure' });
  const view = async ({ id }) => send(`GET /tasks/${id}`, await scene.agentToken(AGENT));
  const ways = [
    async ({ id }) => send(`POST /tasks/${id}/complete`, await scene.agentToken(AGENT)),
    async ({ id }) => send(`DELETE /tasks/${id}`, await scene.personToken('operator')),
  ];
  const close = async () => {
    await broker.stop();
    await scene.close();
  };
  return { scene, broker, ask, view, end: (task, n) => ways[n % 2](task), close };
}

/** Logs in, and resolves when the open session is dead and a new login is refused. */
async function watchLogin(url) {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const ended = new Promise((resolve) => client.once('end', resolve));
  const logIn = async () => {
    const fresh = new pg.Client({ connectionString: url });
    fresh.on('error', () => undefined);
    try {
      await fresh.connect();
      await fresh.end();
      return true;
    } catch {
      return false;
    }
  };
  return {
    refused: async () => {
      await ended;
      while (await logIn());
    },
  };
}

async function postgres() {
  const { documents, environment } = await starterWith(
    templateDocument('measured', { ...AMPLE, credentials: READ_CASES }),
  );
  const service = await serviceOf(documents, environment);
  return {
    ...{ name: '`postgres`: open session dead, new login refused', ...service },
    ask: () => service.ask('measured'),
    watch: ({ credentials: [{ secret }] }) => watchLogin(secret.url),
  };
}

async function signedToken() {
  const service = await serviceOf(yamlOf(agentDocument(AGENT), templateDocument('measured', AMPLE)));
  const url = `${service.broker.url}/oauth/introspect`;
  const operator = await service.scene.personToken('operator');
  const isActive = async (token) => JSON.parse((await postForm(url, operator, { token })).text).active;
  return {
    ...{ name: '`signed-token`: introspection answers `active: false`', ...service },
    ask: () => service.ask('measured'),
    watch: async ({ credentials: [{ secret }] }) => {
      if (!(await isActive(secret.token))) throw new Error('a new token is not active');
      return {
        refused: async () => {
          while (await isActive(secret.token));
        },
      };
    },
  };
}

async function vault() {
  const [server, startServer] = vaultServers().at(-1);
  const target = await VaultTarget.open(startServer);
  const { documents, environment } = vaultConnections(target);
  const template = warehouseTemplate('measured', 'reader', { endSessions: DATABASE_CONNECTION }, AMPLE);
  const service = await serviceOf(yamlOf(...documents, template), environment);
  const keys = `${service.broker.url}/federation/jwks.json`;
  await until('the federation keys are there', 20, async () => (await fetch(keys)).ok);
  const { issuer } = await (await fetch(`${service.broker.url}/federation/.well-known/openid-configuration`)).json();
  await target.root('POST', 'auth/jwt/config', { jwks_url: keys, bound_issuer: issuer });
  return {
    ...{ name: `\`vault\` (${server}), database engine: open session dead, new login refused`, ...service },
    ask: () => service.ask('measured'),
    watch: ({ credentials: [{ secret }] }) => {
      const url = new URL(target.crm.loginUrl);
      Object.assign(url, { username: secret.username, password: secret.password });
      return watchLogin(url.href);
    },
    close: async () => {
      await service.close();
      await target.close();
    },
  };
}

async function awsSts() {
  const rgw = await startRgw();
  const target = await AwsTarget.open({ ...rgw, name: 'rgw', account: '', clock: { now: () => new Date() } });
  const roles = await Promise.all(Array.from({ length: ROLES }, () => target.createRole()));
  const templates = roles.map((role, n) => {
    const template = exportTemplate(target, role, AMPLE);
    return { ...template, metadata: { ...template.metadata, name: `measured-${n}` } };
  });
  const documents = yamlOf(EXPORT_AGENT, awsConnection(target, { propagationSeconds: 0 }), ...templates);
  const service = await serviceOf(documents, awsEnvironment(target));
  let asked = 0;
  return {
    ...{ name: `\`aws-sts\` (radosgw, ${ROLES} roles): a read of the bucket refused`, ...service },
    ask: () => service.ask(`measured-${(asked += 1) % ROLES}`),
    watch: async ({ credentials: [{ secret }] }) => {
      const read = target.readerOf(secret);
      await read();
      return {
        refused: async () => {
          while (await read());
        },
      };
    },
    close: async () => {
      await service.close();
      await target.close();
    },
  };
}

/**
 * Ends tasks, `size` at a time; returns the times in ms from the request, and the ends per second. The tasks come in waves: a
 * database has room for a few dozen roles at once.
 */
async function measure(backEnd, size) {
  const times = [];
  let seconds = 0;
  for (let n = 0; n < ENDS; n += WAVE) {
    const tasks = await inFlight(8, Math.min(WAVE, ENDS - n), async () => {
      const task = await backEnd.ask();
      return { task, watched: await backEnd.watch(task) };
    });
    const began = performance.now();
    times.push(...(await inFlight(size, tasks.length, () => endOne(backEnd, tasks.pop(), tasks.length))));
    seconds += (performance.now() - began) / 1000;
  }
  const effective = [];
  for (const { task } of times) {
    const { credentials } = await until('the lease is proven dead', 60, async () => {
      const seen = await backEnd.view(task);
      return seen.state === 'active' ? undefined : seen;
    });
    const [{ revokeRequestedAt, revokeEffectiveAt }] = credentials;
    effective.push(Date.parse(revokeEffectiveAt) - Date.parse(revokeRequestedAt));
  }
  return { effective, refused: times.map(({ refused }) => refused), rate: times.length / seconds };
}

async function endOne(backEnd, { task, watched }, turn) {
  const requestedAt = performance.now();
  const ending = backEnd.end(task, turn);
  await watched.refused();
  const refused = performance.now() - requestedAt;
  await ending;
  return { task, refused };
}

/** Ends all tasks of the agent by one call, in each way; returns the times from the call until each is refused. */
async function measureDeathOfAgent({ scene, broker, ask, watch }) {
  const operator = (name) => scene.personToken('operator', name);
  const send = async (route, name, body) => {
    const { status, body: answer } = await broker.send(route, { token: await operator(name), body });
    if (status > 202) throw new Error(`${route} was answered with ${status}: ${JSON.stringify(answer)}`);
    return answer;
  };
  const lockdownOf = (kind, name) => ({
    what: `lockdown of its ${kind}`,
    end: () => send('POST /lockdowns', 'ada', { scope: { kind, name }, reason: 'measure' }),
    undo: async ({ id }) => {
      await until(
        'the lockdown is engaged',
        60,
        async () => (await send(`GET /lockdowns/${id}`, 'ada')).state === 'engaged',
      );
      for (const name of ['ada', 'grace']) await send(`POST /lockdowns/${id}/release`, name, { reason: 'measured' });
      await until('the service grants again', 20, () => ask().catch(() => undefined));
    },
  });
  const ways = [
    {
      what: 'suspension of its agent',
      end: () => send(`POST /agents/${AGENT}/suspend`, 'ada', {}),
      undo: () => send(`POST /agents/${AGENT}/activate`, 'ada', {}),
    },
    lockdownOf('issuer', 'development'),
    lockdownOf('runtime', 'developer-laptop'),
  ];
  const found = [];
  for (const { what, end, undo } of ways) {
    const watched = await inFlight(8, SESSIONS, async () => watch(await ask()));
    const began = performance.now();
    const since = async (work) => {
      const result = await work;
      return { result, ms: performance.now() - began };
    };
    const ending = since(end());
    const dead = await Promise.all(watched.map(({ refused }) => since(refused())));
    const { result, ms } = await ending;
    await undo(result);
    found.push({
      what: `\`postgres\`, ${SESSIONS} tasks with an open session: ${what}, answered after ${ms.toFixed(0)} ms`,
      'at once': SESSIONS,
      'effective p50/p99/max ms': '–',
      'refused p50/p99/max ms': shown(dead.map((one) => one.ms)),
      'ends/s': ((SESSIONS * 1000) / Math.max(...dead.map((one) => one.ms))).toFixed(0),
    });
  }
  return found;
}

const shown = (values) =>
  [percentile(values, 0.5), percentile(values, 0.99), Math.max(...values)].map((ms) => ms.toFixed(0)).join(' / ');

const BACK_ENDS = { 'signed-token': signedToken, postgres, vault, 'aws-sts': awsSts };
const wanted = (process.env.LOAD_BACK_ENDS ?? Object.keys(BACK_ENDS).join(',')).split(',');
const rows = [];
console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}; ${ENDS} ends a row`);
for (const name of wanted) {
  const backEnd = await BACK_ENDS[name]();
  await measure(backEnd, 4); // warms up
  for (const size of [1, AT_ONCE]) {
    const { effective, refused, rate } = await measure(backEnd, size);
    rows.push({
      what: backEnd.name,
      'at once': size,
      'effective p50/p99/max ms': shown(effective),
      'refused p50/p99/max ms': shown(refused),
      'ends/s': rate.toFixed(0),
    });
  }
  if (name === 'postgres') rows.push(...(await measureDeathOfAgent(backEnd)));
  await backEnd.close();
}
report(
  rows.map(({ what, ...measured }) => ({
    what: `end of a task, ${what}: requested → effective; → refused at the target (p50 / p99 / max ms); ends/s`,
    measured: Object.values(measured).join('; '),
  })),
);
console.table(rows);
process.exit(0);
