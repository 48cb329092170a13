import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const docs = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** The file that installs the watchdog on a target, for the role `lessor` of the connection. */
export function watchdogSql(lessor = 'mayfly_lessor'): string {
  return docs('postgres-watchdog.sql').replaceAll('mayfly_lessor', lessor);
}

/** True when the machine has psql. */
export function hasPsql(): boolean {
  return spawnSync('psql', ['--version']).error === undefined;
}

/** Starts psql with the script of docs/connect-postgres.md. Resolves the returned call when the process has ended. */
export function startWatchdog(url: string): () => Promise<void> {
  const script = /```psql\n(.*?)```/s.exec(docs('connect-postgres.md'))?.[1];
  if (script === undefined) throw new Error('docs/connect-postgres.md has no script for psql');
  const { PATH = '' } = process.env;
  const child = spawn('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', url], {
    env: { PATH },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const gone = new Promise<void>((resolve) =>
    child.once('close', () => {
      resolve();
    }),
  );
  child.stdin.write(script);
  return async () => {
    child.kill();
    await gone;
  };
}
