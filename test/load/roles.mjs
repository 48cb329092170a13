// The cost of a database role at its target, through the postgres provider, on a PostgreSQL of its own with its default
// durability.
// 1. a mint and an end, alone and in groups, while other roles of the connection live;
// 2. the same behind an old snapshot in another database of the server;
// 3. mints of one template at once, on a server whose flush takes 4 ms; 4. ends of one deadline; 5. mints and ends in turn.
// Prints tables; asserts nothing. `node --import ./test/load/run.mjs test/load/roles.mjs [costs] [snapshot] [flush] [ends] [pairs]`
import pg from 'pg';
import { WAYS } from '../contract/crm-database.js';
import { report } from './report.mjs';
import { median, percentile } from './service.mjs';
import { inFlight } from './requests.mjs';
import { closeTarget, cycleCost, own, root, sceneOf, serverCpu } from './target.mjs';

const PARTS = process.argv.slice(2);
const LIVE = (process.env.LOAD_LIVE ?? '0,500,1500,5000,20000').split(',').map(Number);
const CYCLES = Number(process.env.LOAD_CYCLES ?? 40_000);
const ENDS = Number(process.env.LOAD_ENDS ?? 1_500);
const ONLY = process.env.LOAD_WAYS?.split(',');
const TOGETHER = 16;

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
  const together = table.filter((row) => row['at once'] === TOGETHER);
  const of = (way, member) => together.filter((row) => row.way === way).map((row) => row[member]);
  report(
    ways.map((way) => ({
      what: `${way}: PostgreSQL CPU of a mint; of an end, at ${LIVE.join(', ')} live roles, ms`,
      measured: `${of(way, 'mint CPU ms').join(', ')}; ${of(way, 'end CPU ms').join(', ')}`,
      aim: 'flat within 1.5 ×',
    })),
  );
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
  const times = (way, member) => {
    const [before, after] = table.filter((row) => row.way === way).map((row) => Number(row[member]));
    return (after / before).toFixed(1);
  };
  report(
    ways.map((way) => ({
      what: `${way}: a mint; an end, after ${CYCLES} cycles behind an old snapshot, times as much as before`,
      measured: `${times(way, 'mint CPU ms')}; ${times(way, 'end CPU ms')}`,
      aim: '≤ 2',
    })),
  );
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
  report(
    table.map((row) => ({
      what: `${row.way}: 16 mints of one template at once, a flush of ${median(flushes).toFixed(1)} ms, per s`,
      measured: row['mints/s'],
      aim: '≥ 1,500',
    })),
  );
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
  report(
    table.map((row) => ({
      what: `${row.way}: ${ENDS} ends of one deadline at the target, worst lateness, s`,
      measured: row['worst s'],
      aim: '≤ 1.5',
    })),
  );
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
  await closeTarget();
  process.exit();
}
