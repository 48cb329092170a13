// A steady load over a long time: requests at LOAD_RATE a second (default 300) for LOAD_MINUTES (default 45), in which most tasks
// expire. Samples memory, overdue leases and the age of the oldest audit entry that is not sealed; at the end it checks that the
// audit's sequence has no gap. Exits with 1 when a lease is overdue by more than 5 s, the sealing lags by more than a second or
// the sequence has a gap. `node --import ./test/load/run.mjs test/load/soak.mjs`
import { clearInterval, setInterval } from 'node:timers';
import autocannon from 'autocannon';
import pg from 'pg';
import { report } from './report.mjs';
import { requestsOf } from './requests.mjs';
import { databaseUrl } from './rounds.mjs';
import { prepareDirectory, start } from './service.mjs';

const MINUTES = Number(process.env.LOAD_MINUTES ?? 45);
const RATE = Number(process.env.LOAD_RATE ?? 300);
const SAMPLE_MS = 4_700;
const LONGEST_LAG = 1;
const LONGEST_OVERDUE = 5;

const SAMPLE = `SELECT
  (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - e.at)), 0)::float8
     FROM public.audit_pending p JOIN public.audit_entry e ON e.batch = p.batch) AS lag,
  (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - due_at)), 0)::float8 FROM public.lease WHERE due_at < clock_timestamp()) AS overdue,
  (SELECT count(*)::int FROM public.lease WHERE due_at IS NOT NULL) AS live`;
const GAPS = `SELECT count(*)::int AS n FROM
  (SELECT first_seq, first_seq - lag(first_seq + entries) OVER (ORDER BY first_seq) AS gap FROM
    (SELECT first_seq, octet_length(leaf_hashes) / 32 AS entries FROM public.audit_seal) s) g WHERE gap <> 0`;

const prepared = prepareDirectory();
try {
  const service = await start(prepared);
  const take = await requestsOf(prepared);
  const database = new pg.Client({ connectionString: databaseUrl(prepared.directory, 'mayfly') });
  await database.connect();
  const samples = [];
  const began = performance.now();
  const sampling = setInterval(() => {
    void database.query(SAMPLE).then(({ rows: [row] }) => {
      const sample = { minute: (performance.now() - began) / 60_000, rss: service.rssMiB(), ...row };
      samples.push(sample);
      if (samples.length % 60 === 0) console.log(JSON.stringify(sample));
    });
  }, SAMPLE_MS);
  const request = () => {
    const { body, ...rest } = take('load-token');
    return { ...rest, body: JSON.stringify({ ...JSON.parse(body), ttlSeconds: 60 }) };
  };
  const result = await autocannon({
    ...{ url: `${service.url}/tasks`, connections: 32, duration: MINUTES * 60, overallRate: RATE },
    requests: [{ setupRequest: (given) => ({ ...given, ...request() }) }],
  });
  clearInterval(sampling);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const [{ n: gaps }] = (await database.query(GAPS)).rows;
  const worst = (member) => Math.max(...samples.map((sample) => sample[member]));
  const rssAt = (part) => samples[Math.min(samples.length - 1, Math.floor(samples.length * part))].rss.toFixed(0);
  report([
    {
      what: `${MINUTES} minutes at ${RATE}/s: answers 201; others`,
      measured: `${result['2xx']}; ${result.non2xx + result.errors}`,
    },
    {
      what: 'RSS at a tenth, half and the end, MiB',
      measured: `${rssAt(0.1)}, ${rssAt(0.5)}, ${rssAt(1)}`,
      aim: 'flat',
    },
    {
      what: 'longest lag of the sealing; longest overdue lease, s',
      measured: `${worst('lag').toFixed(2)}; ${worst('overdue').toFixed(2)}`,
      aim: '< 1; none',
    },
    { what: 'gaps in the sequence of the audit', measured: gaps, aim: '0' },
  ]);
  process.exitCode = gaps === 0 && worst('lag') <= LONGEST_LAG && worst('overdue') <= LONGEST_OVERDUE ? 0 : 1;
  await database.end();
  await service.stop();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  prepared.remove();
  process.exit();
}
