// Database roles whose tasks all end at one instant, through the service: how late the last one is proven gone at the target.
// Prints a table; asserts nothing. `node --import ./test/load/run.mjs test/load/expiry.mjs`; LOAD_ENDS changes the size.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { report } from './report.mjs';
import { requestsOf } from './requests.mjs';
import { databaseUrl } from './rounds.mjs';
import { prepareDirectory, start } from './service.mjs';

const ENDS = Number(process.env.LOAD_ENDS ?? 1_500);
const IN_FLIGHT = 32;
/** Time for the mints before the deadline, in seconds. */
const LEAD = Number(process.env.LOAD_LEAD ?? 60);

const prepared = prepareDirectory();
try {
  const service = await start(prepared);
  const take = await requestsOf(prepared);
  const database = new pg.Client({ connectionString: databaseUrl(prepared.directory, 'mayfly') });
  await database.connect();
  const deadline = Date.now() + LEAD * 1000;
  let left = ENDS;
  const mint = async () => {
    while (left-- > 0) {
      const request = take('load-database');
      const ttlSeconds = Math.round((deadline - Date.now()) / 1000);
      if (ttlSeconds < 1) throw new Error('the mints took longer than LOAD_LEAD seconds; raise it');
      const answer = await fetch(`${service.url}/tasks`, {
        ...request,
        body: JSON.stringify({ ...JSON.parse(request.body), ttlSeconds }),
      });
      if (answer.status !== 201) throw new Error(`a request was answered with ${answer.status}`);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, mint));
  await sleep(Math.max(0, deadline - Date.now()));
  const open = async () =>
    (await database.query('SELECT count(*)::int AS n FROM public.lease WHERE due_at IS NOT NULL')).rows[0].n;
  while ((await open()) > 0) await sleep(100);
  const { rows } = await database.query(
    `SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY late) AS p50, max(late) AS worst, count(*)::int AS leases
     FROM (SELECT extract(epoch FROM ended_at - expires_at)::float8 AS late FROM public.lease WHERE state = 'expired' OR state = 'revoked') l`,
  );
  const [{ p50, worst, leases }] = rows;
  report([
    {
      what: `${leases} database roles with one deadline (within a second): lateness of the proven end, p50; worst, s`,
      measured: `${p50.toFixed(2)}; ${worst.toFixed(2)}`,
      aim: 'worst ≤ 1.5',
    },
  ]);
  await database.end();
  await service.stop();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  prepared.remove();
  process.exit();
}
