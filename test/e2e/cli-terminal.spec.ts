import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HAS_SCRIPT, startAtTerminal } from '../support/cli.js';
import { openExecScene, shellUnder, type ExecScene } from '../support/exec-scene.js';
import { until } from '../support/until.js';

if (!HAS_SCRIPT) console.warn('SKIPPED SUITE the command line at a terminal: script(1) is not installed');
const atTerminal = HAS_SCRIPT ? describe : describe.skip;

/** Counts the interrupts that reach it for a second and a half after the first one. */
const COUNTING = `
let count = 0;
process.on('SIGINT', () => {
  count += 1;
  if (count === 1) setTimeout(() => { console.log('interrupts: ' + count); process.exit(3); }, 1500);
});
console.log('ready');
setInterval(() => undefined, 1000);
`;

atTerminal('at a terminal', () => {
  let scene: ExecScene;
  beforeAll(async () => {
    scene = await openExecScene();
  });
  afterAll(() => scene.close());

  it('mayfly exec reports at a terminal how each credential ended', async () => {
    const cli = startAtTerminal(
      scene.environment,
      ...shellUnder('support-read-cases', 'said', 'exit 4', '-p', 'region=emea'),
    );
    const { code, stdout } = await cli.left;
    expect(code).toBe(4);
    expect(stdout).toMatch(/^mayfly: db \(postgres\): revoked, refused after \d+ ms$/m);
    expect(stdout).toMatch(
      /^mayfly: api \(signed-token\): revoked, accepted until \S+ by resource servers that do not introspect it$/m,
    );
  });

  it('mayfly exec gives the command the terminal itself', async () => {
    const cli = startAtTerminal(
      scene.environment,
      ...shellUnder('watched', 'tty', 'test -t 0 && test -t 1 && test -t 2'),
    );
    expect((await cli.left).code).toBe(0);
  });

  it('mayfly exec passes one Ctrl-C on as one', async () => {
    const command = ['exec', '--template', 'watched', '--purpose', 'ctrl-c', '--', process.execPath, '-e', COUNTING];
    const cli = startAtTerminal(scene.environment, ...command);
    await until('the command runs', 20, async () => cli.output().includes('ready'));
    cli.child.stdin.write('\u0003');
    const { code, stdout } = await cli.left;
    expect(stdout).toContain('interrupts: 1');
    expect(code).toBe(3);
    expect(await scene.endedTask('ctrl-c')).toMatchObject({ state: 'failed', reason: 'exit code 3' });
  });

  it('the CLI shows tasks and issuances in tables, and in JSON on request', async () => {
    const auditor = { MAYFLY_URL: scene.mayfly.url, MAYFLY_TOKEN: scene.mayfly.personToken('auditor') };
    const { stdout } = await startAtTerminal(auditor, 'issuances', '--template', 'support-read-cases').left;
    expect(stdout).toMatch(/^CREATED +AGENT +TEMPLATE +CREDENTIAL +STATE +CAUSE +ENDED +TASK +LEASE$/m);
    expect(stdout).toMatch(/support-agent +support-read-cases@1 +db \(postgres\) +revoked +failed/);
    const tasks = await startAtTerminal(auditor, 'tasks', '--limit', '1').left;
    expect(tasks.stdout.trim().split('\n')).toHaveLength(2);
    const json = await startAtTerminal(auditor, 'tasks', '--limit', '1', '--json').left;
    expect(JSON.parse(json.stdout)).toMatchObject({ items: [{ agent: 'support-agent' }] });
  });
});
