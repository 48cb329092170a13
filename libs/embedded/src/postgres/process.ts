import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readIfPresent } from '../secret-file.js';

const PROC = existsSync('/proc/self/stat');

/**
 * Returns the id and the start time of a live process, which together are unique although ids are reused; `undefined`
 * when no such process is alive. A dead process that is not yet reaped counts as dead.
 */
export function processIdentity(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const started = PROC ? startedByProc(pid) : ask(pid, 'lstart=');
  return started === undefined ? undefined : `${String(pid)} ${started}`;
}

/** Returns the command line of a live process; `undefined` for a dead one, reaped or not. */
export function commandLine(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  if (!PROC) return ask(pid, 'command=');
  const line = read(`/proc/${String(pid)}/cmdline`);
  return line === undefined || line === '' ? undefined : line.replaceAll('\0', ' ');
}

/** Fields of proc_pid_stat(5), counted after the command's closing bracket: 3 is the state, 22 the start in ticks. */
function startedByProc(pid: number): string | undefined {
  const line = read(`/proc/${String(pid)}/stat`);
  if (line === undefined) return undefined;
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[22 - 3];
}

function ask(pid: number, column: string): string | undefined {
  // Fixed locale and time zone: every Mayfly, whatever its shell, must read the same start time.
  const env = { LC_ALL: 'C', TZ: 'UTC' };
  const { stdout } = spawnSync('ps', ['-p', String(pid), '-o', 'stat=', '-o', column], { env, encoding: 'utf8' });
  const line = stdout.trim();
  return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
}

/** A process may end between the opening and the reading of its file (ESRCH). */
function read(path: string): string | undefined {
  try {
    return readIfPresent(path);
  } catch {
    return undefined;
  }
}
