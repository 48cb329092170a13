// A PostgreSQL of its own as the target of the postgres provider, and the cost of mints and ends there. CPU is that of the
// server's processes (schedstat of the kernel), so a busy machine changes it little.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { PostgresConfigSchema, PostgresProvider } from '@mayfly/provider-postgres';
import { mintOrder } from '@mayfly/testing';
import { createCrmDatabase } from '../contract/crm-database.js';
import { startOwnPostgres } from '../support/own-postgres.js';
import { median } from './service.mjs';

const { AbortSignal } = globalThis;
const REPEATS = 6;

export const own = await startOwnPostgres();
export const root = new pg.Client({ connectionString: own.server.url('postgres', 'postgres') });
await root.connect();
const server = { url: (database) => own.server.url(database, 'postgres'), stop: async () => undefined };

/** CPU of the server in milliseconds: of all processes that the postmaster started and that still live. */
export async function serverCpu() {
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

export async function sceneOf(way) {
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

/** Runs all calls together and returns CPU of the server and wall time, in milliseconds a call. */
async function costOf(calls) {
  const [cpu, began] = [await serverCpu(), performance.now()];
  const results = await Promise.all(calls.map((call) => call()));
  const wall = performance.now() - began;
  return { cpu: ((await serverCpu()) - cpu) / calls.length, wall: wall / calls.length, results };
}

/** The cost of one mint and one end, with `size` of each at once; medians of some repetitions. */
export async function cycleCost({ mint, end }, size) {
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

/** Ends the server. */
export async function closeTarget() {
  await root.end();
  await own.remove();
}
