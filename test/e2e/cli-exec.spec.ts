import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCli, startCli } from '../support/cli.js';
import { openExecScene, shellUnder, type ExecScene } from '../support/exec-scene.js';
import { leaseRoles } from '../support/target.js';
import { until } from '../support/until.js';

const hasPsql = spawnSync('psql', ['--version']).error === undefined;
if (!hasPsql) console.warn('SKIPPED SUITE psql under mayfly exec: psql is not installed');
const withPsql = hasPsql ? it : it.skip;

const READ = ['exec', '--template', 'support-read-cases', '--param', 'region=emea'];
const COUNT = ['psql', '-Atc', 'SELECT count(*) FROM emea.cases'];

let scene: ExecScene;
beforeAll(async () => {
  scene = await openExecScene();
});
afterAll(() => scene.close());

describe('a command under a task', () => {
  withPsql('a stock psql under a task reads what the template allows, and leaves nothing behind', async () => {
    const before = await leaseRoles(scene.targetUrl);
    const ran = await runCli(scene.environment, ...READ, '--', ...COUNT);
    expect(ran).toMatchObject({ code: 0, stdout: '3\n', stderr: '' });
    expect(await scene.tasksFor('run psql')).toMatchObject([{ state: 'completed', cause: 'completed', reason: null }]);
    expect(await leaseRoles(scene.targetUrl)).toEqual(before);
    expect(readdirSync(scene.runtimeDir)).toEqual([]);
  });

  withPsql('the database refuses a stock psql what the template does not allow', async () => {
    const ran = await runCli(scene.environment, ...READ, '--', 'psql', '-Atc', 'SELECT * FROM hr.salaries');
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toContain('permission denied');
  });

  it('a command under a task gets the credentials, and not the identity with which it could ask for more', async () => {
    const standing = {
      PGPASSWORD: 'standing',
      PGSERVICE: 'standing',
      DATABASE_URL: 'standing',
      MAYFLY_ID_TOKEN: 'a.b.c',
    };
    const { stdout } = await runCli(
      { ...scene.environment, ...standing },
      ...[...READ, '--', 'sh', '-c', 'env; stat -c "mode=%a" "$PGPASSFILE"; cat "$PGPASSFILE"'],
    );
    const lines = new Map(stdout.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
    const login = ['PGHOST', 'PGPORT', 'PGDATABASE', 'PGUSER'].map((name) => lines.get(name));
    expect(lines.get('MAYFLY_TASK_ID')).toMatch(/^tsk_/);
    expect(lines.get('MAYFLY_TOKEN_API')).toBe(lines.get('MAYFLY_API_TOKEN'));
    expect(lines.get('mode')).toBe('600');
    expect(stdout).toContain(`\n${login.join(':')}:${lines.get('MAYFLY_DB_PASSWORD')!}\n`);
    expect(stdout).not.toMatch(/standing|^MAYFLY_(TOKEN|TOKEN_FILE|ID_TOKEN)=/m);
    expect(stdout).not.toContain(scene.environment.MAYFLY_TOKEN);
  });

  it('a command under a task has the standard streams to itself', async () => {
    const { child, left } = startCli(scene.environment, ...READ, '--', 'sh', '-c', 'cat; echo aside >&2');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    child.stdin.end(bytes);
    const raw: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => raw.push(part));
    expect(await left).toMatchObject({ code: 0, stderr: 'aside\n' });
    expect(Buffer.concat(raw).equals(bytes)).toBe(true);
  });

  it.each([
    ['exit 7', 7, 'exit code 7'],
    ['kill -TERM $$', 143, 'ended by SIGTERM'],
    ['kill -KILL $$', 137, 'ended by SIGKILL'],
  ])('a command under a task `%s` leaves with %s, and the task has failed', async (script, code, reason) => {
    expect((await runCli(scene.environment, ...shellUnder('watched', script, script))).code).toBe(code);
    expect(await scene.endedTask(script)).toMatchObject({ state: 'failed', reason });
  });

  it.each([
    ['no-such-command', 127],
    ['/etc/passwd', 126],
  ])('a command under a task that cannot be run (%s) leaves with %s and no task behind', async (command, code) => {
    const ran = await runCli(scene.environment, ...READ, '--purpose', command, '--', command);
    expect(ran).toMatchObject({ code, stdout: '' });
    expect(ran.stderr).toContain(`mayfly: cannot run \`${command}\``);
    expect(await scene.endedTask(command)).toMatchObject({ state: 'failed' });
  });

  it('a command under a task is not begun where it is not clear which login it is to have, unless one is picked', async () => {
    const ran = await runCli(scene.environment, ...shellUnder('two-logins', 'unclear', 'echo began'));
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain('several database logins: `one` and `two`');
    expect(await scene.endedTask('unclear')).toMatchObject({ state: 'failed', reason: 'the command was not started' });
    const picked = await runCli(
      scene.environment,
      ...shellUnder('two-logins', 'clear', 'test $PGUSER = $MAYFLY_TWO_USERNAME', '--credential', 'two'),
    );
    expect(picked.code).toBe(0);
  });

  it.each([
    ['a template that is not there', ['exec', '-t', 'missing', '--', 'true'], 3, 'no published template'],
    [
      'a parameter that does not fit',
      ['exec', '-t', 'support-read-cases', '-p', 'region=mars', '--', 'true'],
      3,
      '/region:',
    ],
    ['no command', ['exec', '-t', 'brief'], 2, "missing required argument 'command'"],
    ['an option that is the command’s', ['exec', '-t', 'brief', 'ls', '-l'], 2, "unknown option '-l'"],
  ])('a command under a task is refused with a text and %s', async (_what, args, code, words) => {
    const ran = await runCli(scene.environment, ...args);
    expect(ran).toMatchObject({ code, stdout: '' });
    expect(ran.stderr).toContain(words);
    expect(ran.stderr).toMatch(/^mayfly: /);
  });
});

describe('signals', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)(
    'the signal %s reaches the command, whose status is kept',
    async (name) => {
      const short = name.slice(3);
      const script = `trap 'echo caught; exit 9' ${short}; echo ready; while :; do sleep 0.1; done`;
      const cli = startCli(scene.environment, ...shellUnder('watched', name, script));
      await until('the command runs', 20, async () => cli.output().includes('ready'));
      cli.child.kill(name);
      expect(await cli.left).toMatchObject({ code: 9, stdout: 'ready\ncaught\n' });
      expect(await scene.endedTask(name)).toMatchObject({ state: 'failed', reason: 'exit code 9' });
    },
  );

  it('stop signals stop the command together with this process, and let both continue', async () => {
    const cli = startCli(
      scene.environment,
      ...shellUnder('watched', 'stopped', 'echo $$; while :; do echo tick; sleep 0.05; done'),
    );
    await until('the command runs', 20, async () => cli.output().includes('tick'));
    const pid = Number(cli.output().split('\n')[0]);
    const stateOf = (id: number) =>
      spawnSync('ps', ['-o', 'state=', '-p', String(id)], { encoding: 'utf8' }).stdout.trim();
    cli.child.kill('SIGTSTP');
    await until('both are stopped', 10, async () => stateOf(pid) === 'T' && stateOf(cli.child.pid!) === 'T');
    const before = cli.output().length;
    cli.child.kill('SIGCONT');
    await until('the command goes on', 10, async () => cli.output().length > before);
    cli.child.kill('SIGTERM');
    expect((await cli.left).code).toBe(143);
  });
});

describe('the identity token', () => {
  it('the identity token comes from a file, and a file without one is refused without being shown', async () => {
    const file = join(scene.runtimeDir, 'identity');
    const { MAYFLY_TOKEN: token = '', ...rest } = scene.environment;
    writeFileSync(file, `${token}\n`);
    const script = shellUnder('watched', 'by file', 'test -z "$MAYFLY_TOKEN_FILE"');
    expect(await runCli({ ...rest, MAYFLY_TOKEN_FILE: file }, ...script)).toMatchObject({ code: 0, stderr: '' });
    writeFileSync(file, 'canary');
    const refused = await runCli(rest, ...script.slice(0, 1), '--token-file', file, ...script.slice(1));
    rmSync(file);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).not.toContain('canary');
  });
});
