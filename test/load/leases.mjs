// A million live leases and a tenth as many that ended, in the service's own store: what a round of the sweep, an issuance and
// a page of the history cost. Prints tables; asserts nothing. About five minutes; LOAD_LEASES changes the size. Linux only.
// `node --import ./test/load/run.mjs test/load/leases.mjs`
import pg from 'pg';
import { developmentIssuer } from '@mayfly/embedded';
import { DatabaseClock, PgClosingStore } from '@mayfly/persistence';
import { processMs } from './processor-time.mjs';
import { report } from './report.mjs';
import { requestsOf } from './requests.mjs';
import { databaseUrl, inTurn, startBare } from './rounds.mjs';
import { median, percentile, prepareDirectory, start } from './service.mjs';

const LEASES = Number(process.env.LOAD_LEASES ?? 1_000_000);
const PER_STATEMENT = 50_000;
const PAGES = 30;

/** The columns of a table, with the copies' own values for some of them. */
async function columnsOf(database, table, own) {
  const { rows } = await database.query(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [`public.${table}`],
  );
  const names = rows.map(({ name }) => name);
  return { names: names.join(', '), values: names.map((name) => own[name] ?? `o.${name}`).join(', ') };
}

/** Copies an issued lease and its task: each copy a few milliseconds older, over agents and templates, and due in a day. */
async function fill(database, count) {
  const { rows } = await database.query(`SELECT id, task_id FROM public.lease WHERE state = 'active' LIMIT 1`);
  const created = `o.created_at - n * interval '50 milliseconds'`;
  const common = {
    created_at: created,
    agent_name: `'load-agent-' || n % 50`,
    template_name: `'load-token-' || n % 20`,
  };
  const ended = `n % 11 = 0`;
  const task = await columnsOf(database, 'task', {
    ...common,
    id: `'tsk_' || lpad(n::text, 26, '0')`,
    expires_at: `o.expires_at + interval '1 day'`,
    max_expires_at: `o.max_expires_at + interval '1 day'`,
    state: `CASE WHEN ${ended} THEN 'completed' ELSE 'active' END`,
    live_leases: `CASE WHEN ${ended} THEN 0 ELSE 1 END`,
  });
  const lease = await columnsOf(database, 'lease', {
    ...common,
    id: `'lse_' || lpad(n::text, 26, '0')`,
    task_id: `'tsk_' || lpad(n::text, 26, '0')`,
    expires_at: `o.expires_at + interval '1 day'`,
    state: `CASE WHEN ${ended} THEN 'revoked' ELSE 'active' END`,
    due_at: `CASE WHEN ${ended} THEN NULL ELSE o.expires_at + interval '1 day' + n * interval '1 millisecond' END`,
    end_cause: `CASE WHEN ${ended} THEN 'completed' END`,
    ended_at: `CASE WHEN ${ended} THEN ${created} + interval '1 second' END`,
  });
  for (let from = 1; from <= count; from += PER_STATEMENT) {
    const numbers = `generate_series(${from}, ${Math.min(from + PER_STATEMENT - 1, count)}) n`;
    await database.query(`INSERT INTO public.task (${task.names}) SELECT ${task.values} FROM public.task o, ${numbers} WHERE o.id = '${rows[0].task_id}';
      INSERT INTO public.lease (${lease.names}) SELECT ${lease.values} FROM public.lease o, ${numbers} WHERE o.id = '${rows[0].id}'`);
  }
  await database.query('VACUUM ANALYZE public.task; ').then(() => database.query('VACUUM ANALYZE public.lease'));
}

const sizeOf = async (database) =>
  Number(
    (
      await database.query(
        `SELECT pg_total_relation_size('public.task') + pg_total_relation_size('public.lease') AS bytes`,
      )
    ).rows[0].bytes,
  );

/** Wall time and PostgreSQL's processor time of a round of the sweep that finds nothing due, in ms. */
async function sweep(directory) {
  const pool = new pg.Pool({ connectionString: databaseUrl(directory, 'mayfly'), max: 1 });
  const store = new PgClosingStore(pool, new DatabaseClock(pool), { wakeUps: false });
  const { pid } = (await pool.query('SELECT pg_backend_pid() AS pid')).rows[0];
  const round = () => store.claimDue({ limit: 200 });
  await round();
  const [before, began] = [processMs(pid), performance.now()];
  for (let n = 0; n < 50; n += 1) await round();
  const result = { wall: (performance.now() - began) / 50, cpu: (processMs(pid) - before) / 50 };
  await pool.end();
  return result;
}

async function history(service, directory, database) {
  const token = await (await developmentIssuer(directory, { production: false })).issueToken({ role: 'auditor' });
  const task = (await database.query(`SELECT task_id FROM public.lease OFFSET 1000 LIMIT 1`)).rows[0].task_id;
  const day = 86_400_000;
  const filters = {
    none: '',
    agent: 'agent=load-agent-7',
    template: 'template=load-token-3',
    provider: 'provider=signed-token',
    state: 'state=active',
    'a rare state': 'state=revoking',
    cause: 'cause=completed',
    task: `taskId=${task}`,
    'from and to': `from=${new Date(Date.now() - day).toISOString()}&to=${new Date().toISOString()}`,
    'agent, template and state': 'agent=load-agent-7&template=load-token-7&state=active',
  };
  const scans = async () =>
    Number(
      (await database.query(`SELECT sum(seq_scan) AS n FROM pg_stat_user_tables WHERE relname IN ('lease', 'task')`))
        .rows[0].n,
    );
  const rows = [];
  for (const [name, filter] of Object.entries(filters)) {
    const before = await scans();
    const times = [];
    let cursor = '';
    for (let page = 0; page < PAGES; page += 1) {
      const began = performance.now();
      const answer = await fetch(`${service.url}/issuances?${filter}${cursor}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const body = await answer.json();
      if (!answer.ok) throw new Error(`${filter}: ${answer.status} ${JSON.stringify(body)}`);
      times.push(performance.now() - began);
      cursor =
        body.nextCursor === undefined || body.nextCursor === null
          ? ''
          : `&cursor=${encodeURIComponent(body.nextCursor)}`;
    }
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    rows.push({ filter: name, p95: percentile(times, 0.95), median: median(times), scans: (await scans()) - before });
  }
  console.table(rows);
  return rows;
}

const prepared = prepareDirectory();
try {
  const service = await start(prepared);
  const [take, bare] = [await requestsOf(prepared), await startBare(prepared)];
  const database = new pg.Client({ connectionString: databaseUrl(prepared.directory, 'mayfly') });
  await database.connect();
  const scene = { bare, service, prepared, take, connections: 32, rounds: 3, amount: 3_000 };
  const empty = await inTurn(scene);
  const before = await sizeOf(database);
  await fill(database, Math.round(LEASES * 1.1));
  const bytes = ((await sizeOf(database)) - before) / (LEASES * 1.1);
  const full = await inTurn(scene);
  const { wall, cpu } = await sweep(prepared.directory);
  const pages = await history(service, prepared.directory, database);
  const worst = pages.reduce((one, other) => (other.p95 > one.p95 ? other : one));
  report([
    {
      what: `${LEASES} live leases: a round of the sweep, wall; CPU, ms`,
      measured: `${wall.toFixed(2)}; ${cpu.toFixed(2)}`,
      aim: '< 50',
    },
    {
      what: 'issuance beside them against an empty store: by processor time',
      measured: (full.byProcessorTime / empty.byProcessorTime).toFixed(2),
      aim: '≥ 0.9',
    },
    { what: 'bytes a lease, with its task and all indexes', measured: bytes.toFixed(0), aim: '< 1,536' },
    { what: `GET /issuances, slowest filter (${worst.filter}), p95, ms`, measured: worst.p95.toFixed(0), aim: '< 100' },
    {
      what: 'sequential scans of lease and task by GET /issuances',
      measured: pages.reduce((sum, { scans }) => sum + scans, 0),
      aim: '0',
    },
  ]);
  await database.end();
  bare.stop();
  await service.stop();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  prepared.remove();
  process.exit();
}
