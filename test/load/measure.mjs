// Runs all measurements one after the other and prints their rows as one table. Takes about half an hour on two quiet cores;
// `node test/load/measure.mjs issuance roles` runs some of them. Linux only; asserts nothing.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

const SCRIPTS = [
  'start-up',
  'issuance',
  'expiry',
  'lockdown',
  'revocation',
  'roles',
  'openbao',
  'leases',
  'catalog',
  'back-ends',
  'budget',
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SCRIPTS.includes(name));
if (unknown.length > 0) {
  console.error(`there is no measurement ${unknown.join(', ')}; the measurements are ${SCRIPTS.join(', ')}`);
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), 'mayfly-measure-'));
const file = join(directory, 'rows');

function run(name) {
  const arguments_ = ['--import', './test/load/run.mjs', `test/load/${name}.mjs`];
  const child = spawn(process.execPath, arguments_, { stdio: 'inherit', env: { ...process.env, MEASURE_ROWS: file } });
  return new Promise((resolve) => child.once('exit', resolve));
}

const failed = [];
for (const name of wanted.length > 0 ? wanted : SCRIPTS) {
  console.log(`\n== ${name}`);
  if ((await run(name)) !== 0) failed.push(name);
}
const rows = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
console.log(`\n${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`);
console.table(rows);
rmSync(directory, { recursive: true });
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
