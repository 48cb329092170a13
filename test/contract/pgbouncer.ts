import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './target-server.js';

const PGBOUNCER = '/usr/sbin/pgbouncer';

/** Undefined when PgBouncer can start, otherwise the reason, which the line about the skipped suite prints. */
export const PGBOUNCER_ABSENCE = existsSync(PGBOUNCER) ? undefined : `${PGBOUNCER} is not installed`;

export interface Pooler {
  readonly port: number;
  /** the same URL through the pooler */
  through(url: string): string;
  /** Stops the pooler without waiting for its clients. */
  stop(): Promise<void>;
}

export interface PoolerOptions {
  /** for PgBouncer's own login, which reads all passwords (`auth_query`) */
  readonly superuserUrl: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** Starts PgBouncer before the server of a URL. It admits the server's users, by their `pg_shadow` entries. */
export async function startPgBouncer({ superuserUrl, settings }: PoolerOptions): Promise<Pooler> {
  const { hostname, port: serverPort, username, password } = new URL(superuserUrl);
  const home = mkdtempSync(join(tmpdir(), 'mayfly-pgbouncer-'));
  const port = await freePort();
  const [users, config] = [join(home, 'users'), join(home, 'pgbouncer.ini')];
  writeFileSync(users, `"${username}" "${decodeURIComponent(password)}"\n`);
  const lines = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: users,
    auth_user: username,
    ...settings,
  };
  const text = Object.entries(lines).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(
    config,
    [`[databases]`, `* = host=${hostname} port=${serverPort}`, '[pgbouncer]', ...text, ''].join('\n'),
  );
  // PgBouncer refuses to run as root.
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  if (nobody.uid !== undefined) for (const path of [home, users, config]) chownSync(path, nobody.uid, nobody.gid);
  const child = spawn(PGBOUNCER, ['-q', config], { ...nobody, stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error('PgBouncer ended before it listened');
    await pause(20);
  }
  return {
    port,
    through: (url) => url.replace(/@[^/]*\//, `@127.0.0.1:${String(port)}/`),
    stop: async () => {
      // The effect of SIGTERM depends on the version, and there is no state to keep.
      child.kill('SIGKILL');
      await exited;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    const settle = (isOpen: boolean) => (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', settle(true)).once('error', settle(false));
  });
}
