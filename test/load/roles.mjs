// The cost of a database role at its target, through the postgres provider, on a PostgreSQL of its own with its default
// durability. CPU is that of the server's processes (schedstat of the kernel), so a busy machine changes it little.
// 1. a mint and an end, alone and in groups, while other roles of the connection live;
// 2. the same behind an old snapshot in another database of the server;
// 3. mints of one template at once, on a server whose flush takes 4 ms; 4. ends of one deadline; 5. mints and ends in turn.
// Prints tables; asserts nothing. `node --import ./test/load/run.mjs test/load/roles.mjs [costs] [snapshot] [flush] [ends] [pairs]`
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { PostgresConfigSchema, PostgresProvider } from '@mayfly/provider-postgres';
import { mintOrder } from '@mayfly/testing';
import { createCrmDatabase, WAYS } from '../contract/crm-database.js';
import { startOwnPostgres } from '../support/own-postgres.js';
import { median, percentile } from './service.mjs';

const { AbortSignal } = globalThis;
const PARTS = process.argv.slice(2);
const LIVE = (process.env.LOAD_LIVE ?? '0,500,1500,5000,20000').split(',').map(Number);
const CYCLES = Number(process.env.LOAD_CYCLES ?? 40_000);
const ENDS = Number(process.env.LOAD_ENDS ?? 1_500);
const ONLY = process.env.LOAD_WAYS?.split(',');
const TOGETHER = 16;
const REPEATS = 6;

const own = await startOwnPostgres();
const root = new pg.Client({ connectionString: own.server.url('postgres', 'postgres') });
await root.connect();
const server = { url: (database) => own.server.url(database, 'postgres'), stop: async () => undefined };

/** CPU of the server in milliseconds: of all processes that the postmaster started and that still live. */
async function serverCpu() {
  const { rows } = await root.query("SELECT current_setting('data_directory') AS directory");
  const postmaster = readFileSync(join(rows[0].directory, 'postmaster.pid'), 'utf8').split('\n')[0];
  const parentOf = (pid) =>
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) \S /, '')
      .split(' ')[0];
  let nanoseconds = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (parentOf(pid) === postmaster)
        nanoseconds += Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // the process has ended
    }
  }
  return nanoseconds / 1e6;
}

async function sceneOf(way) {
  const crm = await createCrmDatabase(server, { way });
  const provider = new PostgresProvider();
  const config = PostgresConfigSchema.parse({
    url: crm.loginUrl,
    role: crm.admin,
    scramIterations: 1,
    connectionCapacity: 1_000_000,
  });
  const scope = { grants: [{ schema: 'emea', tables: ['customers', 'cases'], verbs: ['select'] }] };
  const mint = async () => {
    const order = { ...mintOrder(config, scope, new Date()), expiresAt: new Date(Date.now() + 7_200_000) };
    const { handle } = await provider.mint(order, provider.plan(order), AbortSignal.timeout(30_000));
    return { ...order, handle };
  };
  const end = async (order) => {
    const { kind } = await provider.revoke(order, AbortSignal.timeout(60_000));
    if (kind !== 'revoked') throw new Error(`a lease ended as ${kind}`);
  };
  const close = async () => {
    await provider.close();
    await crm.drop();
  };
  const scopeRole = provider.plan(mintOrder(config, scope, new Date())).scopeRole;
  return { mint, end, close, fill: (from, to) => fill(crm, way, scopeRole, from, to) };
}

/** Makes the roles of living leases as the provider would leave them, but as superuser, which is fast. */
async function fill({ superuserUrl, admin }, way, scopeRole, from, to) {
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  const maker = { login: `'${admin}'`, creators: `'${admin}_' || (n % 32 + 1)`, functions: 'NULL' }[way];
  for (let at = from; at < to; at += 500)
    await client.query(`DO $$ DECLARE name text; maker text; BEGIN
      FOR n IN ${at + 1}..${Math.min(at + 500, to)} LOOP
        name := 'mayfly_' || lpad(n::text, 26, '0');
        maker := ${maker};
        EXECUTE format('CREATE ROLE %I LOGIN CONNECTION LIMIT 5 VALID UNTIL ''2099-01-01''; GRANT ${scopeRole} TO %1$I WITH INHERIT TRUE, SET FALSE', name);
        IF maker IS NOT NULL THEN
          EXECUTE format('GRANT %I TO %I WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', name, maker);
        END IF;
      END LOOP; END $$`);
  await client.end();
}

async function inFlight(size, count, call) {
  let begun = 0;
  const results = [];
  const worker = async () => {
    while (begun++ < count) results.push(await call());
  };
  await Promise.all(Array.from({ length: Math.min(size, count) }, worker));
  return results;
}

/** Runs all calls together and returns CPU of the server and wall time, in milliseconds a call. */
async function costOf(calls) {
  const [cpu, began] = [await serverCpu(), performance.now()];
  const results = await Promise.all(calls.map((call) => call()));
  const wall = performance.now() - began;
  return { cpu: ((await serverCpu()) - cpu) / calls.length, wall: wall / calls.length, results };
}

/** The cost of one mint and one end, with `size` of each at once; medians of some repetitions. */
async function cycleCost({ mint, end }, size) {
  const costs = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const mints = await costOf(Array.from({ length: size }, () => mint));
    const ends = await costOf(mints.results.map((lease) => () => end(lease)));
    costs.push({ mint: mints, end: ends });
  }
  const middle = (what, of) => median(costs.map((cost) => cost[what][of])).toFixed(2);
  return {
    'mint CPU ms': middle('mint', 'cpu'),
    'mint wall ms': middle('mint', 'wall'),
    'end CPU ms': middle('end', 'cpu'),
    'end wall ms': middle('end', 'wall'),
  };
}

const ways = Object.keys(WAYS).filter((way) => ONLY?.includes(way) ?? true);

async function costs() {
  const table = [];
  for (const way of ways) {
    const scene = await sceneOf(way);
    await cycleCost(scene, 1);
    let living = 0;
    for (const live of LIVE) {
      await scene.fill(living, live);
      living = live;
      for (const size of [1, TOGETHER]) table.push({ way, live, 'at once': size, ...(await cycleCost(scene, size)) });
      console.log(JSON.stringify(table.at(-2)), JSON.stringify(table.at(-1)));
    }
    await scene.close();
    await root.query('VACUUM ANALYZE pg_authid, pg_auth_members, pg_shdepend');
  }
  console.table(table);
}

async function snapshot() {
  const table = [];
  for (const way of ways) {
    const scene = await sceneOf(way);
    await cycleCost(scene, TOGETHER);
    const before = await cycleCost(scene, 1);
    const reader = new pg.Client({ connectionString: own.server.url('template1', 'postgres') });
    await reader.connect();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
    table.push({ way, 'cycles behind': 0, ...before });
    const cycle = async () => scene.end(await scene.mint());
    await inFlight(64, CYCLES, cycle);
    table.push({ way, 'cycles behind': CYCLES, ...(await cycleCost(scene, 1)) });
    console.log(JSON.stringify(table.at(-2)), JSON.stringify(table.at(-1)));
    await reader.end();
    await scene.close();
    await root.query('VACUUM ANALYZE pg_authid, pg_auth_members, pg_shdepend');
  }
  console.table(table);
}

/** `commit_delay` makes each flush wait; with 0 siblings also where no other transaction is open. */
async function flush() {
  await root.query('ALTER SYSTEM SET commit_delay = 4000');
  await root.query('ALTER SYSTEM SET commit_siblings = 0');
  await root.query('SELECT pg_reload_conf()');
  const table = [];
  const flushes = [];
  for (let index = 0; index < 50; index += 1) {
    const began = performance.now();
    await root.query('CREATE ROLE flushed; DROP ROLE flushed');
    flushes.push(performance.now() - began);
  }
  console.log(`a commit takes ${median(flushes).toFixed(1)} ms`);
  for (const way of ways) {
    const scene = await sceneOf(way);
    const leases = await inFlight(16, 64, scene.mint);
    const began = performance.now();
    const more = await inFlight(16, 1_600, scene.mint);
    table.push({ way, 'mints/s': Math.round((more.length * 1000) / (performance.now() - began)) });
    await inFlight(64, leases.length + more.length, async () => scene.end(leases.pop() ?? more.pop()));
    await scene.close();
  }
  await root.query('ALTER SYSTEM RESET commit_delay');
  await root.query('ALTER SYSTEM RESET commit_siblings');
  await root.query('SELECT pg_reload_conf()');
  console.table(table);
}

async function ends() {
  const table = [];
  for (const way of ways) {
    const scene = await sceneOf(way);
    const leases = await inFlight(32, ENDS, scene.mint);
    const began = performance.now();
    const cpu = await serverCpu();
    const late = await Promise.all(leases.map((lease) => scene.end(lease).then(() => performance.now() - began)));
    table.push({
      way,
      ends: ENDS,
      'p50 s': (median(late) / 1000).toFixed(2),
      'p99 s': (percentile(late, 0.99) / 1000).toFixed(2),
      'worst s': (Math.max(...late) / 1000).toFixed(2),
      'CPU ms an end': (((await serverCpu()) - cpu) / ENDS).toFixed(2),
    });
    await scene.close();
  }
  console.table(table);
}

/** Mints and ends in turn, 32 in flight; the time of an end is until its proof. */
async function pairs() {
  const table = [];
  for (const way of ways) {
    const scene = await sceneOf(way);
    const times = [];
    const cycle = async () => {
      const lease = await scene.mint();
      const began = performance.now();
      await scene.end(lease);
      times.push(performance.now() - began);
    };
    await inFlight(32, 200, cycle);
    times.length = 0;
    const [cpu, began] = [await serverCpu(), performance.now()];
    await inFlight(32, 2_000, cycle);
    table.push({
      way,
      'pairs/s': Math.round(2_000_000 / (performance.now() - began)),
      'end p50 ms': median(times).toFixed(0),
      'end p99 ms': percentile(times, 0.99).toFixed(0),
      'CPU ms a pair': (((await serverCpu()) - cpu) / 2_000).toFixed(2),
    });
    await scene.close();
  }
  console.table(table);
}

try {
  for (const [name, part] of Object.entries({ costs, snapshot, flush, ends, pairs }))
    if (PARTS.length === 0 || PARTS.includes(name)) await part();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await root.end();
  await own.remove();
  process.exit();
}
