import { spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { commandLine } from './postgres/process.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';

const AS_ROOT = process.getuid?.() === 0;
/** A user that every system has; `initdb` wants to know its name. */
const DAEMON = 1;

describe('startEmbeddedPostgres', () => {
  let above: string;
  let dataDir: string;
  const running = new Set<EmbeddedPostgres>();
  const children = new Set<ChildProcess>();

  beforeEach(() => {
    above = mkdtempSync(join(tmpdir(), 'mayfly-embedded-'));
    chmodSync(above, 0o755);
    dataDir = join(above, 'data');
  });

  afterEach(async () => {
    await Promise.all([...children].map(kill));
    children.clear();
    if (running.size === 0 && existsSync(serverFile())) await start();
    await Promise.all([...running].map((postgres) => postgres.stop()));
    running.clear();
    rmSync(above, { recursive: true });
  });

  const serverFile = (): string => join(dataDir, 'postgres', 'data', 'postmaster.pid');
  const serverPid = (): number => Number.parseInt(readFileSync(serverFile(), 'utf8'), 10);

  async function start(): Promise<EmbeddedPostgres> {
    const postgres = await startEmbeddedPostgres({ dataDir });
    running.add(postgres);
    return postgres;
  }

  /** Another process that has the server running, and prints a line whenever a row was acknowledged. */
  async function startElsewhere(): Promise<{ child: ChildProcess; line: () => Promise<string> }> {
    const loader = fileURLToPath(new URL('../../../tools/run-typescript.mjs', import.meta.url));
    const script = fileURLToPath(new URL('../../../test/support/write-rows.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', loader, script, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const line = async (): Promise<string> => String((await lines.next()).value);
    expect(await line()).toBe('started');
    return { child, line };
  }

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  it('startEmbeddedPostgres starts on an empty directory, and again with the earlier rows', async () => {
    const cold = await start();
    expect(cold.adopted).toBe(false);
    await query(cold.url('mayfly', 'postgres'), 'CREATE TABLE kept AS SELECT 42 AS n');
    const pid = serverPid();
    await cold.stop();
    expect(commandLine(pid)).toBeUndefined();
    expect(existsSync(serverFile())).toBe(false);

    const warm = await start();
    expect(warm.adopted).toBe(false);
    expect(warm.url('mayfly')).toBe(cold.url('mayfly'));
    expect(await query(warm.url('mayfly', 'postgres'), 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  });

  it('startEmbeddedPostgres sets the password anew when its file was lost', async () => {
    await (await start()).stop();
    rmSync(join(dataDir, 'postgres', 'mayfly_app.password'));
    const postgres = await start();
    expect(await query(postgres.url('mayfly'), 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('startEmbeddedPostgres takes over the server when the service was killed, and no acknowledged row is lost', async () => {
    const { child, line } = await startElsewhere();
    let acknowledged = 0;
    while (acknowledged < 200) acknowledged = Number(await line());
    await kill(child);
    const postgres = await start();
    expect(postgres.adopted).toBe(true);
    const [row] = await query(postgres.url('mayfly', 'postgres'), 'SELECT count(*)::int AS n FROM written');
    expect(row?.n).toBeGreaterThanOrEqual(acknowledged);
    const pid = serverPid();
    await postgres.stop();
    expect(commandLine(pid)).toBeUndefined();
  });

  it('startEmbeddedPostgres recovers when service and server were both killed, and no acknowledged row is lost', async () => {
    const { child, line } = await startElsewhere();
    let acknowledged = 0;
    while (acknowledged < 200) acknowledged = Number(await line());
    process.kill(serverPid(), 'SIGKILL');
    await kill(child);
    const postgres = await start();
    expect(postgres.adopted).toBe(false);
    const [row] = await query(postgres.url('mayfly', 'postgres'), 'SELECT count(*)::int AS n FROM written');
    expect(row?.n).toBeGreaterThanOrEqual(acknowledged);
  });

  it('startEmbeddedPostgres is not deceived by a pid file that names a process of someone else', async () => {
    await (await start()).stop();
    writeFileSync(
      serverFile(),
      `${String(process.pid)}\n${join(dataDir, 'postgres', 'data')}\n1\n1\n\n127.0.0.1\n\nready\n`,
    );
    const postgres = await start();
    expect(postgres.adopted).toBe(false);
    expect(await query(postgres.url('mayfly'), 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('startEmbeddedPostgres begins again when it was killed while it made the data directory', async () => {
    const draft = join(dataDir, 'postgres', 'data.draft');
    mkdirSync(draft, { recursive: true });
    writeFileSync(join(draft, 'PG_VERSION'), '18');
    const postgres = await start();
    expect(await query(postgres.url('mayfly'), 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
    expect(existsSync(draft)).toBe(false);
  });

  it('startEmbeddedPostgres refuses a directory that another live process uses, naming MAYFLY_DATA_DIR', async () => {
    await startElsewhere();
    const refusal = { code: 'conflict', detail: expect.stringContaining('MAYFLY_DATA_DIR') };
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toMatchObject(refusal);
  });

  it('startEmbeddedPostgres lets exactly one of several simultaneous starts have the directory', async () => {
    const starts = await Promise.allSettled([start(), start(), start()]);
    expect(starts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it('startEmbeddedPostgres moves to another port when its last one was taken', async () => {
    const first = await start();
    await first.stop();
    const other = await startEmbeddedPostgres({ dataDir: join(above, 'other') });
    writeFileSync(join(dataDir, 'postgres', 'port'), new URL(other.url('mayfly')).port);
    const second = await start();
    expect(new URL(second.url('mayfly')).port).not.toBe(new URL(other.url('mayfly')).port);
    await other.stop();
  });

  it('startEmbeddedPostgres tells the user to set DATABASE_URL when there is no binary', async () => {
    const refusal = { code: 'unavailable', detail: expect.stringMatching(/`sunos-x64`.*DATABASE_URL/) };
    await expect(startEmbeddedPostgres({ dataDir, platform: 'sunos-x64' })).rejects.toMatchObject(refusal);
  });

  (AS_ROOT ? it : it.skip)(
    'runs as the owner of the data when root starts it, and leaves them usable by that user',
    async () => {
      const home = join(dataDir, 'postgres');
      mkdirSync(home, { recursive: true });
      chownSync(home, DAEMON, DAEMON);
      await start();
      const owners = readdirSync(home, { recursive: true }).map((path) => statSync(join(home, String(path))).uid);
      expect(new Set(owners)).toEqual(new Set([DAEMON]));
    },
  );

  (AS_ROOT ? it : it.skip)('keeps its files outside a directory that the user of the server cannot reach', async () => {
    chmodSync(above, 0o700);
    const first = await start();
    const home = realpathSync(join(dataDir, 'postgres'));
    expect(home.startsWith(realpathSync(above))).toBe(false);
    expect(statSync(home).mode & 0o777).toBe(0o700);
    await first.stop();
    const second = await start(); // finds the link again
    expect(realpathSync(join(dataDir, 'postgres'))).toBe(home);
    await second.stop();
    rmSync(home, { recursive: true });
  });
});

describe('the embedded PostgreSQL', () => {
  let dataDir: string;
  let postgres: EmbeddedPostgres;

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'mayfly-embedded-'));
    chmodSync(dataDir, 0o755);
    postgres = await startEmbeddedPostgres({ dataDir });
    await query(postgres.url('postgres', 'postgres'), "CREATE ROLE lease LOGIN PASSWORD 'lease'");
  });

  afterAll(async () => {
    await postgres.stop();
    rmSync(dataDir, { recursive: true });
  });

  it('the embedded PostgreSQL is durable, on loopback only, and asks everyone for a password', async () => {
    const settings = await query(
      postgres.url('postgres', 'postgres'),
      `SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) AS all FROM pg_settings WHERE name IN
       ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses', 'max_connections', 'unix_socket_directories')`,
    );
    expect(settings).toEqual([
      {
        all:
          'fsync=on full_page_writes=on listen_addresses=127.0.0.1 max_connections=200 ' +
          'synchronous_commit=on unix_socket_directories=',
      },
    ]);
    const methods = await query(
      postgres.url('postgres', 'postgres'),
      'SELECT DISTINCT auth_method FROM pg_hba_file_rules',
    );
    expect(methods).toEqual([{ auth_method: 'scram-sha-256' }]);
    const wrong = new URL(postgres.url('mayfly'));
    wrong.password = 'guess';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('the embedded PostgreSQL keeps passwords in files that others cannot read', async () => {
    const home = join(dataDir, 'postgres');
    const files = readdirSync(home).filter((name) => name.endsWith('.password'));
    expect(files.sort()).toEqual(['mayfly_app.password', 'postgres.password']);
    for (const file of files) expect(statSync(join(home, file)).mode & 0o777).toBe(0o600);
    expect(statSync(home).mode & 0o077).toBe(0);
  });

  it('the embedded PostgreSQL gives the service a role that is not a superuser and does not own its database', async () => {
    const [role] = await query(
      postgres.url('mayfly'),
      `SELECT rolname, rolsuper, rolcreaterole, rolcreatedb,
         (SELECT array_agg(datname::text) FROM pg_database WHERE datdba = pg_roles.oid) AS owns
       FROM pg_roles WHERE rolname = current_user`,
    );
    expect(role).toEqual({
      rolname: 'mayfly_app',
      rolsuper: false,
      rolcreaterole: false,
      rolcreatedb: false,
      owns: null,
    });
    await expect(query(postgres.url('postgres'), 'SELECT 1')).rejects.toMatchObject({ code: '42501' });
  });

  it.each(['mayfly', 'postgres', 'template1'])(
    'the embedded PostgreSQL lets no other role into the database %s',
    async (database) => {
      const url = new URL(postgres.url(database));
      [url.username, url.password] = ['lease', 'lease'];
      await expect(query(url.href, 'SELECT 1')).rejects.toMatchObject({ code: '42501' });
    },
  );
});

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
