import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AWS_ACCOUNTS } from '../contract/aws-accounts.js';
import { AwsTarget } from '../contract/aws-target.js';
import { vaultServers } from '../contract/vault-server.js';
import { DATABASE_CONNECTION, VaultTarget } from '../contract/vault-target.js';
import { awsConnection, awsEnvironment, EXPORT_AGENT, exportTemplate } from '../support/aws-documents.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { yamlOf } from '../support/declared.js';
import { rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';
import { trustBroker, vaultConnections, warehouseTemplate } from '../support/vault-documents.js';

const MAYFLY = resolve('dist/apps/cli/apps/cli/src/main.js');
const MAYFLY_END = [
  process.execPath,
  MAYFLY,
  'aws-credentials',
  '--template',
  'support-export-bucket',
  '--end',
] as const;
/** The AWS command line of the operating system; another one may be on the PATH. */
const AWS = ['/usr/bin/aws'].find((path) => existsSync(path));
const PSQL = ['/usr/bin/psql'].find((path) => existsSync(path));
if (AWS === undefined) console.warn('SKIPPED SUITE the AWS command line: /usr/bin/aws is not installed');
if (PSQL === undefined) console.warn('SKIPPED SUITE psql through mayfly exec: /usr/bin/psql is not installed');

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A place for files of one suite, with the broker's address and the agent's token in the environment of what runs
 * there.
 */
class Shell {
  readonly home = mkdtempSync(join(tmpdir(), 'mayfly-shell-'));

  constructor(private readonly broker: TestBroker) {}

  /** without any login of this machine's */
  get environment(): Record<string, string> {
    const token = join(this.home, 'token');
    writeFileSync(token, this.broker.agentToken('support-agent'), { mode: 0o600 });
    return {
      PATH: '/usr/bin:/bin',
      HOME: this.home,
      MAYFLY_URL: this.broker.url,
      MAYFLY_TOKEN_FILE: token,
      AWS_CONFIG_FILE: join(this.home, 'config'),
      AWS_EC2_METADATA_DISABLED: 'true',
    };
  }

  /** In a process of its own, so that the broker in this one can answer. */
  async run(program: string, ...args: string[]): Promise<Ran> {
    const child = this.start(program, ...args);
    const output = { stdout: '', stderr: '' };
    child.stdout?.on('data', (part: Buffer) => (output.stdout += part.toString()));
    child.stderr?.on('data', (part: Buffer) => (output.stderr += part.toString()));
    const status = await new Promise<number | null>((done) => child.once('close', done));
    return { status, ...output };
  }

  start(program: string, ...args: string[]): ChildProcess {
    return spawn(program, args, { env: this.environment, cwd: this.home, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  close(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

const withAws = AWS === undefined ? [] : AWS_ACCOUNTS.filter(([name]) => name.includes('gateway'));

describe.each(withAws)('the AWS command line of the operating system, on %s', (_, startAccount) => {
  let target: AwsTarget;
  let broker: TestBroker;
  let shell: Shell;

  beforeAll(async () => {
    target = await AwsTarget.open((await startAccount()).aws);
    const role = await target.createRole();
    const documents = yamlOf(EXPORT_AGENT, awsConnection(target), exportTemplate(target, role));
    broker = await startTestBroker({ documents, environment: awsEnvironment(target) });
    shell = new Shell(broker);
    writeFileSync(
      join(shell.home, 'config'),
      `[default]
region = eu-central-1
s3 =
  addressing_style = path
credential_process = ${process.execPath} ${MAYFLY} aws-credentials --template support-export-bucket
`,
    );
  });
  afterAll(async () => {
    shell.close();
    await broker.stop();
    await target.close();
  });

  const copy = (key: string): Promise<Ran> =>
    shell.run(AWS!, '--endpoint-url', target.aws.endpoint, 's3', 'cp', `s3://${target.bucket}/${key}`, '-');
  const tasks = () =>
    rowsOf<{ id: string; state: string }>(broker.database.adminUrl, 'SELECT id, state FROM task ORDER BY created_at');

  it('the AWS command line copies what the template allows by `credential_process`, and is refused the neighbouring prefix', async () => {
    expect(await copy('reports/1')).toMatchObject({ status: 0, stdout: 'one' });
    const refused = await copy('private/1');
    expect(refused.status).not.toBe(0);
    expect(refused.stdout).toBe('');
  });

  it('the AWS command line copies thirty files by one task, which `--end` completes', async () => {
    const before = (await tasks()).length;
    await shell.run(MAYFLY_END[0], ...MAYFLY_END.slice(1));
    mkdirSync(join(shell.home, 'files'));
    for (let file = 0; file < 30; file += 1) writeFileSync(join(shell.home, 'files', String(file)), String(file));
    const to = `s3://${target.bucket}/reports/thirty/`;
    const ran = await shell.run(AWS!, '--endpoint-url', target.aws.endpoint, 's3', 'cp', '--recursive', 'files', to);
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    expect(ran.stdout.match(/upload: /g)).toHaveLength(30);
    expect(await tasks()).toHaveLength(before + 1);
    expect(await shell.run(MAYFLY_END[0], ...MAYFLY_END.slice(1))).toMatchObject({ status: 0, stderr: '' });
    const { id } = (await tasks()).at(-1)!;
    const { body } = await broker.send(`GET /tasks/${id}`, { token: broker.agentToken('support-agent') });
    expect(body).toMatchObject({ endCause: 'completed' });
  });

  it('the AWS command line is refused everything within the window after `complete`', async () => {
    const command = `${AWS!} --endpoint-url ${target.aws.endpoint} s3 cp s3://${target.bucket}/reports/1 - > copied; env > variables`;
    const exec = [MAYFLY, 'exec', '--template', 'support-export-bucket', '--', 'sh', '-c', command];
    const ran = await shell.run(process.execPath, ...exec);
    expect(ran).toMatchObject({ status: 0 });
    const variables = (await shell.run('cat', 'variables')).stdout;
    expect((await shell.run('cat', 'copied')).stdout).toBe('one');
    expect(variables).toMatch(/^MAYFLY_TASK_ID=tsk_/m);
    expect(variables).not.toMatch(/^MAYFLY_TOKEN/m);
    const leaked = Object.fromEntries(
      [...variables.matchAll(/^(AWS_\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
    );
    const used = spawnSync(
      AWS!,
      ['--endpoint-url', target.aws.endpoint, 's3', 'ls', `s3://${target.bucket}/reports/`],
      {
        env: { PATH: '/usr/bin:/bin', HOME: shell.home, ...leaked },
      },
    );
    expect(used.status).not.toBe(0);
    const [task] = (await tasks()).slice(-1);
    await until('the task has ended', 15, async () => {
      const { body } = await broker.send(`GET /tasks/${task!.id}`, { token: broker.agentToken('support-agent') });
      return body.state === 'completed';
    });
  });

  it('the AWS command line keeps the exit code of the command, and tells the broker that it failed', async () => {
    const ran = await shell.run(
      process.execPath,
      MAYFLY,
      'exec',
      '--template',
      'support-export-bucket',
      '--',
      'sh',
      '-c',
      'exit 7',
    );
    expect(ran.status).toBe(7);
    const [task] = (await tasks()).slice(-1);
    const { body } = await broker.send(`GET /tasks/${task!.id}`, { token: broker.agentToken('support-agent') });
    expect(body.endCause).toBe('failed');
  });
});

const withPsql = PSQL === undefined ? [] : vaultServers();

describe.each(withPsql)('psql through mayfly exec, with a login of %s', (_, startServer) => {
  let target: VaultTarget;
  let broker: TestBroker;
  let shell: Shell;

  beforeAll(async () => {
    target = await VaultTarget.open(startServer);
    const { documents, environment } = vaultConnections(target);
    const spec = { lifetime: { defaultSeconds: 60, maxSeconds: 600 }, heartbeat: { timeoutSeconds: 5 } };
    const template = warehouseTemplate('warehouse-read', 'reader', { endSessions: DATABASE_CONNECTION }, spec);
    broker = await startTestBroker({ documents: yamlOf(...documents, template), environment });
    await trustBroker(target, broker);
    shell = new Shell(broker);
  });
  afterAll(async () => {
    shell.close();
    await broker.stop();
    await target.close();
  });

  const exec = (...command: string[]): string[] => {
    const { hostname, port, pathname } = new URL(target.crm.url);
    const database = ['--pg-host', hostname, '--pg-port', port, '--pg-database', pathname.slice(1)];
    return [MAYFLY, 'exec', '--template', 'warehouse-read', ...database, '--', ...command];
  };

  it('psql through mayfly exec reads only what the login may read, and leaves no session behind', async () => {
    const ran = await shell.run(process.execPath, ...exec(PSQL!, '-Atc', 'SELECT note FROM emea.customers'));
    expect(ran).toMatchObject({ status: 0, stdout: 'one\n' });
    const refused = await shell.run(process.execPath, ...exec(PSQL!, '-Atc', 'SELECT note FROM emea.salaries'));
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toContain('permission denied');
    await until('every user is gone', 15, async () => (await target.users()).length === 0);
  });

  it('psql through mayfly exec loses its session by the missing heartbeat when mayfly exec is killed', async () => {
    const running = shell.start(process.execPath, ...exec(PSQL!, '-Atc', 'SELECT pg_sleep(600)'));
    await until('the session is open', 15, async () => {
      const [user] = await target.users();
      return user !== undefined && (await target.sessionsOf(user)) > 0;
    });
    running.kill('SIGKILL');
    await until('nothing is left', 30, async () => (await target.users()).length === 0);
    const [task] = await rowsOf<{ end_cause: string }>(
      broker.database.adminUrl,
      'SELECT end_cause FROM task ORDER BY created_at DESC LIMIT 1',
    );
    expect(task?.end_cause).toBe('heartbeat_lost');
  });
});
