import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PROGRAMS = ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'monmaptool'];

/** Ceph's gateway: an engine of STS, IAM and S3. The contract suite states where it judges policies as AWS does. */
export interface RgwServer {
  readonly endpoint: string;
  /** key of a user that may do everything */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** that user's name in trust policies */
  readonly user: string;
  /** of the gateway process, to freeze it */
  readonly pid: number;
}

/** Returns why the engine cannot run here, or undefined. */
export function rgwAbsence(): string | undefined {
  const missing = PROGRAMS.filter((program) => !existsSync(join('/usr/bin', program)));
  return missing.length === 0 ? undefined : `${missing.join(', ')} not installed`;
}

/** Starts the engine of this test process (about 1 s). Later spec files reuse it, and it ends with the process. */
export async function startRgw(): Promise<RgwServer> {
  const home = join(tmpdir(), `mayfly-rgw-${String(process.pid)}`);
  const note = join(home, 'server.json');
  if (existsSync(note)) return JSON.parse(readFileSync(note, 'utf8')) as RgwServer;
  for (const folder of ['', 'mon', 'osd', 'run', 'log', 'data']) mkdirSync(join(home, folder), { recursive: true });
  cleanUpAfterThisProcess(home);
  const server = await new RgwCluster(home).start();
  writeFileSync(note, JSON.stringify(server));
  return server;
}

class RgwCluster {
  private readonly env: NodeJS.ProcessEnv;

  constructor(private readonly home: string) {
    this.env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', CEPH_CONF: join(home, 'ceph.conf') };
  }

  async start(): Promise<RgwServer> {
    const [port, monitorPort] = [await freePort(), await freePort()];
    const [fsid, osd] = [randomUUID(), randomUUID()];
    const address = `[v2:127.0.0.1:${String(monitorPort)}/0]`;
    writeFileSync(join(this.home, 'ceph.conf'), configuration(this.home, fsid, address, port));
    writeFileSync(join(this.home, 'keyring'), `[mon.]\n\tkey = ${'A'.repeat(38)}==\n\tcaps mon = "allow *"\n`);
    const map = join(this.home, 'monmap');
    this.run('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', address, map);
    this.run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, '--keyring', join(this.home, 'keyring'));
    this.launch('ceph-mon', '-f', '-i', 'a');
    const id = this.run('ceph', 'osd', 'new', osd).trim();
    this.run('ceph-osd', '-i', id, '--mkfs', '--osd-uuid', osd);
    this.launch('ceph-osd', '-f', '-i', id);
    const gateway = this.launch('radosgw', '-f', '-n', 'client.rgw');
    const endpoint = `http://127.0.0.1:${String(port)}`;
    await untilItAnswers(endpoint, gateway);
    const [accessKeyId, secretAccessKey] = [randomBytes(10).toString('hex'), randomBytes(20).toString('hex')];
    const keys = [`--access-key=${accessKeyId}`, `--secret=${secretAccessKey}`];
    const caps = '--caps=roles=*;user-policy=*;oidc-provider=*';
    this.run(
      'radosgw-admin',
      '-n',
      'client.rgw',
      'user',
      'create',
      '--uid=admin',
      '--display-name=admin',
      caps,
      ...keys,
    );
    return { endpoint, accessKeyId, secretAccessKey, user: 'arn:aws:iam:::user/admin', pid: gateway.pid! };
  }

  private run(program: string, ...args: string[]): string {
    const done = spawnSync(program, args, { env: this.env, encoding: 'utf8', timeout: 30_000 });
    if (done.status !== 0) throw new Error(`${program} failed: ${done.stderr.slice(-400)}`);
    return done.stdout;
  }

  private launch(program: string, ...args: string[]): ChildProcess {
    const log = openSync(join(this.home, 'log', `${program}.out`), 'a');
    const child = spawn(program, args, { env: this.env, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    child.unref();
    writeFileSync(join(this.home, `${program}.pid`), String(child.pid));
    return child;
  }
}

/** Keeps everything in memory and on loopback. `paxos` and `tcp_nodelay` make it a hundred times faster. */
function configuration(home: string, fsid: string, address: string, port: number): string {
  return `[global]
fsid = ${fsid}
mon_host = ${address}
ms_bind_msgr1 = false
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = ${home}/run
admin_socket = ${home}/run/$name.$pid.asok
log_file = ${home}/log/$name.log
crash_dir = ${home}/run
keyring = ${home}/keyring
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_data = ${home}/mon
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
osd_data = ${home}/osd
osd_objectstore = memstore
osd_class_load_list = *
osd_class_default_list = *
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
rgw_data = ${home}/data
rgw_frontends = beast endpoint=127.0.0.1:${String(port)} tcp_nodelay=1
rgw_enable_apis = s3,sts,iam,admin
rgw_s3_auth_use_sts = true
rgw_sts_key = ${randomBytes(8).toString('hex')}
rgw_sts_min_session_duration = 900
rgw_thread_pool_size = 16
rgw_override_bucket_index_max_shards = 1
`;
}

async function untilItAnswers(endpoint: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    if (answer?.ok === true) return;
    if (child.exitCode !== null) throw new Error('radosgw ended before it answered');
    await pause(50);
  }
  throw new Error('radosgw does not answer');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Ends the engine of a killed test process, whose exit handlers do not run. SIGKILL is safe: all data is in memory. */
function cleanUpAfterThisProcess(home: string): void {
  const script = `
    while kill -0 "$1" 2>/dev/null; do sleep 0.2; done
    for pidfile in "$2"/*.pid; do [ -e "$pidfile" ] && kill -KILL "$(cat "$pidfile")" 2>/dev/null; done
    sleep 0.2
    rm -rf "$2"`;
  const watch = ['-c', script, 'clean-up', String(process.pid), home];
  spawn('sh', watch, { detached: true, stdio: 'ignore', cwd: tmpdir() }).unref();
}
