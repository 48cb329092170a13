import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { accountOf } from '../contract/aws-accounts.js';
import { AwsFake } from '../contract/aws-fake/aws-fake.js';
import { AwsTarget } from '../contract/aws-target.js';
import { awsConnection, awsEnvironment, EXPORT_AGENT, exportTemplate } from '../support/aws-documents.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { runCli, startCli, type Left } from '../support/cli.js';
import { agentDocument, yamlOf } from '../support/documents.js';
import { startFaultyDoor, type FaultyDoor } from '../support/faulty-door.js';
import { rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';

const PROFILE = ['aws-credentials', '--template', 'support-export-bucket', '--ttl', '200'];
/** Only root can give a file away. */
const BY_ROOT: [string, () => void][] =
  process.getuid?.() === 0 ? [['the file belongs to somebody else', () => chownSync(keptFile(), 65_534, 65_534)]] : [];

let fake: AwsFake;
let target: AwsTarget;
let mayfly: TestBroker;
let door: FaultyDoor;
let home: string;
let purpose: string;

beforeAll(async () => {
  fake = await AwsFake.start();
  target = await AwsTarget.open(accountOf(fake));
  const template = exportTemplate(target, await target.createRole());
  const documents = yamlOf(EXPORT_AGENT, agentDocument('other-agent'), awsConnection(target), template);
  mayfly = await startTestBroker({ documents, environment: awsEnvironment(target) });
  door = await startFaultyDoor(mayfly.url);
});
afterAll(async () => {
  await door.stop();
  await mayfly.stop();
  await target.close();
  await fake.stop();
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'mayfly-profile-'));
  purpose = `test ${home}`;
});
afterEach(() => {
  door.open();
  door.holdAnswers(false);
  rmSync(home, { recursive: true, force: true });
});

const cache = (): string => join(home, 'mayfly');
const kept = (ending = '.json'): string[] => readdirSync(cache()).filter((name) => name.endsWith(ending));
const keptFile = (): string => join(cache(), kept()[0]!);
const environment = (agent = 'support-agent') => ({
  MAYFLY_URL: door.url,
  MAYFLY_TOKEN: mayfly.agentToken(agent),
  XDG_RUNTIME_DIR: home,
});
const once = (...more: string[]): Promise<Left> => runCli(environment(), ...PROFILE, '--purpose', purpose, ...more);
const UNCHECKED = 'the broker did not confirm that the task of this session still runs';
/** Calls again where this machine was too slow for an answer in time; it stays one task. */
async function patiently(act: () => Promise<Left>): Promise<Left> {
  const left = await act();
  return left.code === 4 || left.stderr.includes(UNCHECKED) ? patiently(act) : left;
}
const call = (...more: string[]): Promise<Left> => patiently(() => once(...more));
const tasks = () =>
  rowsOf<{ id: string; cause: string | null }>(
    mayfly.database.adminUrl,
    `SELECT id, end_cause AS cause FROM task WHERE purpose = '${purpose}' ORDER BY created_at`,
  );
const keyIn = ({ stdout }: Left): string => (JSON.parse(stdout) as { AccessKeyId: string }).AccessKeyId;
const revoke = async (id: string): Promise<void> => {
  const { status } = await mayfly.send(`DELETE /tasks/${id}`, { token: mayfly.personToken('operator') });
  expect(status).toBe(200);
};

describe('the calls of one AWS profile', () => {
  it('the calls of one AWS profile open one task when they come at once, and hand out the same session', async () => {
    const calls = await Promise.all(Array.from({ length: 5 }, () => call()));
    expect(calls.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(5).fill({ code: 0, stderr: '' }));
    expect(new Set(calls.map(keyIn)).size).toBe(1);
    expect(await tasks()).toHaveLength(1);
  });

  it('the calls of one AWS profile open one task when they come one after the other', async () => {
    const calls: Left[] = [];
    for (let count = 0; count < 4; count += 1) calls.push(await call());
    expect(new Set(calls.map(keyIn)).size).toBe(1);
    expect(await tasks()).toHaveLength(1);
  });

  it('the calls of one AWS profile open another task shortly before the deadline of the first, and leave that to end by itself', async () => {
    const first = await call('--ttl', '3');
    await until('another task is opened', 20, async () => keyIn(await call('--ttl', '3')) !== keyIn(first));
    expect((await tasks()).length).toBeGreaterThan(1);
  });

  it('the calls of one AWS profile share nothing with a profile of another agent, purpose, lifetime or credential', async () => {
    await call();
    await call('--ttl', '201');
    await call('--credential', 'bucket');
    await patiently(() => runCli(environment('other-agent'), ...PROFILE, '--purpose', purpose));
    expect(await tasks()).toHaveLength(4);
    expect(kept()).toHaveLength(4);
  });

  it('the calls of one AWS profile open a task each with --no-cache, and leave nothing on the disk', async () => {
    const calls = [await call('--no-cache'), await call('--no-cache')];
    expect(new Set(calls.map(keyIn)).size).toBe(2);
    expect(existsSync(cache())).toBe(false);
  });
});

describe('a session that is kept', () => {
  it('a session that is kept is in a file that only this user reads, in a directory that only this user enters', async () => {
    await call();
    expect(statSync(cache()).mode & 0o777).toBe(0o700);
    expect(kept('')).toEqual(kept());
    expect(statSync(keptFile()).mode & 0o777).toBe(0o600);
  });

  it.each<[string, () => void]>([
    ['the directory can be read by others', () => chmodSync(cache(), 0o750)],
    ['the file can be read by others', () => chmodSync(keptFile(), 0o640)],
    [
      'the file is a link',
      () => {
        const file = keptFile();
        writeFileSync(join(home, 'elsewhere'), readFileSync(file), { mode: 0o600 });
        rmSync(file);
        symlinkSync(join(home, 'elsewhere'), file);
      },
    ],
    [
      'the directory is a link',
      () => {
        spawnSync('mv', [cache(), join(home, 'moved')]);
        symlinkSync(join(home, 'moved'), cache());
      },
    ],
    ...BY_ROOT,
  ])('a session that is kept is not handed out when %s, and nothing is asked for', async (_, spoil) => {
    await call();
    spoil();
    const refused = await call();
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('is not used for a session');
    expect(refused.stderr).toContain('--no-cache');
    expect(await tasks()).toHaveLength(1);
  });

  it('a session that is kept is passed over when its file is torn', async () => {
    const first = await call();
    writeFileSync(keptFile(), readFileSync(keptFile(), 'utf8').slice(0, 100));
    const second = await call();
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(keyIn(second)).not.toBe(keyIn(first));
    expect(keyIn(await call())).toBe(keyIn(second));
  });

  it('a session that is kept is not handed out again once its task was revoked', async () => {
    const first = await call();
    const [task] = await tasks();
    await revoke(task!.id);
    const calls = await Promise.all([call(), call(), call()]);
    expect(new Set(calls.map(keyIn)).size).toBe(1);
    expect(keyIn(calls[0])).not.toBe(keyIn(first));
    expect(await tasks()).toHaveLength(2);
  });

  it('a session that is kept is not handed out to a token that the broker refuses', async () => {
    await call();
    const [header, payload] = mayfly.agentToken('support-agent').split('.');
    const forged = { ...environment(), MAYFLY_TOKEN: `${header!}.${payload!}.AAAA` };
    const refused = await patiently(() => runCli(forged, ...PROFILE, '--purpose', purpose));
    expect(refused).toMatchObject({ code: 3, stdout: '' });
  });

  it('a session that is kept is handed out with a warning while the broker is away', async () => {
    const first = await call();
    door.close();
    const second = await once();
    expect(second).toMatchObject({ code: 0, stdout: first.stdout });
    expect(second.stderr).toContain(UNCHECKED);
  });
});

describe('mayfly aws-credentials --end', () => {
  it('mayfly aws-credentials --end completes the task and removes the session; a second time there is nothing to do', async () => {
    await call();
    expect(await call('--end')).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await tasks()).toMatchObject([{ cause: 'completed' }]);
    expect(kept('')).toEqual([]);
    expect(await call('--end')).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('mayfly aws-credentials --end removes the session of a task that is over already', async () => {
    await call();
    await revoke((await tasks())[0]!.id);
    expect(await call('--end')).toMatchObject({ code: 0, stdout: '' });
    expect(kept()).toEqual([]);
  });

  it('mayfly aws-credentials --end leaves in time when the broker does not answer, removes the secret, and keeps the task for another time', async () => {
    const first = await call();
    door.holdAnswers(true);
    const began = performance.now();
    expect(await once('--end')).toMatchObject({ code: 4, stdout: '' });
    expect(performance.now() - began).toBeLessThan(5_500);
    expect(readFileSync(keptFile(), 'utf8')).not.toContain(keyIn(first));
    door.holdAnswers(false);
    expect(await call('--end')).toMatchObject({ code: 0, stderr: '' });
  });

  it('mayfly aws-credentials --end removes the secret when the broker is away, and ends the task with the next call', async () => {
    const first = await call();
    door.close();
    expect(await once('--end')).toMatchObject({ code: 4, stdout: '' });
    expect(readFileSync(keptFile(), 'utf8')).not.toContain(keyIn(first));
    door.open();
    expect(keyIn(await call())).not.toBe(keyIn(first));
    expect(await tasks()).toMatchObject([{ cause: 'completed' }, { cause: null }]);
  });
});

describe('a call that goes wrong', () => {
  it('a call that goes wrong leaves in time when the broker does not answer, and the next one takes up the same task', async () => {
    door.holdAnswers(true);
    const [late, behind] = await Promise.all([once(), once()]);
    for (const left of [late, behind]) expect(left).toMatchObject({ code: 4, stdout: '' });
    expect(await tasks()).toHaveLength(1);
    door.holdAnswers(false);
    expect(await call()).toMatchObject({ code: 0, stderr: '' });
    expect(await tasks()).toMatchObject([{ cause: null }]);
  });

  it('a call that goes wrong does not hold up the next one when it is killed half-way', async () => {
    door.holdAnswers(true);
    const killed = startCli(environment(), ...PROFILE, '--purpose', purpose);
    await until('the task is opened', 20, async () => (await tasks()).length > 0);
    killed.child.kill('SIGKILL');
    await killed.left;
    expect(kept('.lock')).toHaveLength(1);
    door.holdAnswers(false);
    expect(await call()).toMatchObject({ code: 0, stderr: '' });
    expect(await tasks()).toHaveLength(1);
    expect(kept('')).toEqual(kept());
  });

  it.each([
    ['keeps the session for the next call', [], null],
    ['ends its task with --no-cache', ['--no-cache'], 'failed'],
  ])('a call whose output is not read says so and %s', async (_, more, cause) => {
    const left = await patiently(() => {
      const cli = startCli(environment(), ...PROFILE, '--purpose', purpose, ...more);
      cli.child.stdout.destroy();
      return cli.left;
    });
    expect(left).toMatchObject({ code: 1, stderr: 'mayfly: the session cannot be printed (EPIPE)\n' });
    expect((await tasks()).at(-1)).toMatchObject({ cause });
  });

  it('a call for a template of another agent caches nothing', async () => {
    const unheardOf = ['aws-credentials', '--template', 'unheard-of', '--purpose', purpose];
    const refused = await patiently(() => runCli(environment(), ...unheardOf));
    expect(refused).toMatchObject({ code: 3, stdout: '' });
    expect(kept('')).toEqual([]);
  });
});

describe('a session that is shorter than it was asked for', () => {
  it('a session that is shorter than it was asked for is explained where the identity token ends first', async () => {
    const token = mayfly.issuers.workloads.sign({
      sub: 'support-agent',
      jti: purpose,
      exp: Math.floor(Date.now() / 1000) + 90,
    });
    const asked = { ...environment(), MAYFLY_TOKEN: token };
    const ran = await patiently(() => runCli(asked, ...PROFILE, '--purpose', purpose));
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('with the identity token (limitedBy: identity)');
  });
});
