// The processor time that processes have used, from Linux's /proc, in milliseconds.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** All threads of one process. */
export function processMs(pid) {
  return sum(readdirSync(`/proc/${pid}/task`).map((thread) => schedstatMs(`/proc/${pid}/task/${thread}/schedstat`)));
}

/** The first thread of one process, which runs its JavaScript. */
export function mainThreadMs(pid) {
  return schedstatMs(`/proc/${pid}/task/${pid}/schedstat`);
}

/** The PostgreSQL server of a data directory: its first process and every process that it started. */
export function postgresMs(directory) {
  const first = readFileSync(join(directory, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0];
  const children = readFileSync(`/proc/${first}/task/${first}/children`, 'utf8').trim().split(' ');
  return sum([first, ...children].map((pid) => schedstatMs(`/proc/${pid}/schedstat`)));
}

/** 0 for a process that has ended meanwhile. */
function schedstatMs(path) {
  try {
    return Number(readFileSync(path, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return 0;
  }
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
