import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCli, startCli } from '../support/cli.js';
import { openExecScene, shellUnder, type ExecScene } from '../support/exec-scene.js';
import { startFaultyDoor, type FaultyDoor } from '../support/faulty-door.js';
import { until } from '../support/until.js';

const hasPsql = spawnSync('psql', ['--version']).error === undefined;
if (!hasPsql) console.warn('SKIPPED SUITE psql under mayfly exec: psql is not installed');
const withPsql = hasPsql ? it : it.skip;

let scene: ExecScene;
beforeAll(async () => {
  scene = await openExecScene();
});
afterAll(() => scene.close());

describe('while a command runs', () => {
  withPsql('its task is renewed ahead of each deadline', async () => {
    const query = 'psql -Atc "SELECT count(*) FROM emea.cases"';
    const cli = await runCli(
      scene.environment,
      ...shellUnder('brief', 'renewed', `${query}; sleep 4; ${query}`, '--ttl', '3'),
    );
    expect(cli).toMatchObject({ code: 0, stdout: '3\n3\n', stderr: '' });
    expect(await scene.endedTask('renewed')).toMatchObject({ state: 'completed' });
  });

  it('mayfly exec sends the heartbeats that the template requires', async () => {
    const cli = await runCli(scene.environment, ...shellUnder('watched', 'breathing', 'sleep 6'));
    expect(cli).toMatchObject({ code: 0, stderr: '' });
    expect(await scene.endedTask('breathing')).toMatchObject({ state: 'completed' });
  });

  it('mayfly exec reports that another caller ended its task', async () => {
    const cli = startCli(scene.environment, ...shellUnder('watched', 'taken back', 'echo ready; exec sleep 60'));
    await until('the command runs', 20, async () => cli.output().includes('ready'));
    const [task] = await scene.tasksFor('taken back');
    const operator = { MAYFLY_URL: scene.mayfly.url, MAYFLY_TOKEN: scene.mayfly.personToken('operator') };
    expect(await runCli(operator, 'tasks', 'revoke', task!.id)).toMatchObject({ code: 0 });
    let said = '';
    cli.child.stderr.on('data', (part: Buffer) => (said += part.toString()));
    await until('it is said', 20, async () => said.includes('the task has ended while its command runs'));
    cli.child.kill('SIGTERM');
    await cli.left;
    expect(await scene.endedTask('taken back')).toMatchObject({ state: 'revoked', cause: 'revoked' });
  });
});

describe('when mayfly exec is killed', () => {
  /** The command that runs under each template. It first prints its process id and a file of its own. */
  const COMMANDS = {
    watched: { script: 'echo $$ $PGPASSFILE; exec sleep 300', more: [], cause: 'heartbeat_lost' },
    brief: { script: 'echo $$ $PGPASSFILE; exec sleep 300', more: ['--ttl', '6'], cause: 'expired' },
    deaf: { script: `trap '' TERM; echo $$ $PGPASSFILE; while :; do sleep 1; done`, more: [], cause: 'heartbeat_lost' },
  } as const;
  type Name = keyof typeof COMMANDS;
  const killed = new Map<string, { readonly pid: string; readonly began: string | undefined; readonly file: string }>();

  /** The start time of a process in clock ticks (proc(5), field 22): another process may get its id. */
  function startOf(pid: string): string | undefined {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    } catch {
      return undefined;
    }
  }

  /** All at once, since each of them takes its time to end. */
  beforeAll(async () => {
    const started = Object.entries(COMMANDS).map(async ([name, { script, more }]) => {
      const template = name === 'brief' ? 'brief' : 'watched';
      const cli = startCli(scene.environment, ...shellUnder(template, `killed ${name}`, script, ...more));
      await until('the command runs', 30, async () => cli.output().includes('\n'));
      const [pid = '', file = ''] = cli.output().trim().split(' ');
      expect(existsSync(file)).toBe(true);
      killed.set(name, { pid, began: startOf(pid), file });
      // The guard learns the command's process id right after the command has begun.
      await pause(500);
      cli.child.kill('SIGKILL');
    });
    await Promise.all(started);
  });

  it.each(Object.keys(COMMANDS) as Name[])(
    'the command and files of a killed mayfly exec go, and its task ends by itself (%s)',
    async (name) => {
      const { pid, began, file } = killed.get(name)!;
      expect(began).toBeDefined();
      await until('its files are gone', 15, async () => !existsSync(file));
      await until('the command has ended', 20, async () => startOf(pid) !== began);
      expect(await scene.endedTask(`killed ${name}`, 40)).toMatchObject({ cause: COMMANDS[name].cause });
    },
  );
});

describe('over a bad connection', () => {
  let door: FaultyDoor;
  beforeAll(async () => {
    door = await startFaultyDoor(scene.mayfly.url);
  });
  afterAll(() => door.stop());
  const through = () => ({ ...scene.environment, MAYFLY_URL: door.url });

  it('mayfly exec repeats a request whose answer is lost, and opens one task', async () => {
    door.loseNextAnswer();
    const ran = await runCli(
      through(),
      ...shellUnder('watched', 'lost', 'test -n "$MAYFLY_DB_PASSWORD" && echo usable'),
    );
    expect(ran).toMatchObject({ code: 0, stdout: 'usable\n' });
    expect(await scene.tasksFor('lost')).toMatchObject([{ state: 'completed' }]);
  });

  it('mayfly exec ends the task when the broker is back', async () => {
    const cli = startCli(through(), ...shellUnder('watched', 'away', 'echo ready; read -r line; exit 0'));
    await until('the command runs', 20, async () => cli.output().includes('ready'));
    door.close();
    cli.child.stdin.end('go\n');
    setTimeout(() => door.open(), 2_000);
    expect(await cli.left).toMatchObject({ code: 0, stderr: '' });
    expect(await scene.endedTask('away')).toMatchObject({ state: 'completed' });
  });

  it('mayfly exec reports a broker that stays away, keeps the status of the command, and leaves the task to its deadline', async () => {
    const cli = startCli(through(), ...shellUnder('brief', 'gone', 'echo ready; read -r line; exit 5', '--ttl', '5'));
    await until('the command runs', 20, async () => cli.output().includes('ready'));
    door.close();
    cli.child.stdin.end('go\n');
    const left = await cli.left;
    door.open();
    expect(left.code).toBe(5);
    expect(left.stderr).toMatch(/could not be ended: the broker at .* does not answer/);
    expect(await scene.endedTask('gone', 60)).toMatchObject({ cause: 'expired' });
  });

  it('mayfly exec reports a broker that cannot be reached', async () => {
    door.close();
    const ran = await runCli(through(), 'tasks', 'show', 'tsk_01m81vx5sjf6b9r5a3f70p5wdt');
    door.open();
    expect(ran.code).toBe(4);
    expect(ran.stderr).toMatch(/^mayfly: the broker at .* does not answer/);
  });
});
