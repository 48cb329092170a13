import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openEmbeddedScene, type EmbeddedScene } from '../support/broker-process.js';

const run = promisify(execFile);
const page = readFileSync('docs/cli.md', 'utf8');
const hasPsql = spawnSync('psql', ['--version']).error === undefined;
if (!hasPsql) console.warn('SKIPPED SUITE the command with psql in docs/cli.md: psql is not installed');

/** The subcommands with options of their own that the page names. */
const STEPS = [
  'tasks end',
  'issuers test',
  'leases list',
  'leases abandon',
  'changes list',
  'changes approve',
  'lockdown engage',
  'lockdown list',
  'tasks delegate',
];

interface Example {
  readonly commands: string;
  /** what the page says that they print, where it does */
  readonly output: string | undefined;
}

const examples: readonly Example[] = [...page.matchAll(/```sh\n(.*?)```\n(?:\n```text\n(.*?)```)?/gs)].map(
  ([, commands = '', output]) => ({ commands, output }),
);

describe('docs/cli.md', () => {
  let scene: EmbeddedScene;
  let directory: string;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    scene = openEmbeddedScene();
    const { url } = await scene.start();
    directory = mkdtempSync(join(tmpdir(), 'mayfly-docs-'));
    symlinkSync(resolve('dist/apps/cli/apps/cli/src/main.js'), join(directory, 'mayfly')); // as `npm link` has it
    const token = await scene.agentToken('support-agent');
    environment = {
      ...process.env,
      ...{ PATH: `${directory}:${process.env.PATH ?? ''}`, NODE_OPTIONS: '', MAYFLY_TOKEN: token },
      ...{
        MAYFLY_URL: url,
        MAYFLY_DATA_DIR: scene.dataDir,
        XDG_RUNTIME_DIR: '',
        XDG_CACHE_HOME: join(directory, 'cache'),
      },
    };
  });
  afterAll(async () => {
    rmSync(directory, { recursive: true, force: true });
    await scene.close();
  });

  const runnable = examples.filter(({ commands }) => hasPsql || !commands.includes('psql'));

  it.each(runnable)(
    'docs/cli.md has commands that work when they are pasted: $commands',
    async ({ commands, output }) => {
      const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', commands], { env: environment });
      if (output !== undefined) expect(stdout).toBe(output);
      else expect(stdout).not.toBe('');
    },
  );

  it('docs/cli.md shows several examples, with what they print', () => {
    expect(examples.length).toBeGreaterThan(3);
    expect(examples.filter(({ output }) => output !== undefined).length).toBeGreaterThan(1);
  });

  it('docs/cli.md names every command, and no option that there is not', async () => {
    const help = async (...args: string[]) => (await run('mayfly', [...args, '--help'], { env: environment })).stdout;
    const commands = [...(await help()).matchAll(/^ {2}([a-z-]+) \[/gm)].map(([, name = '']) => name);
    expect(commands).toContain('exec');
    for (const name of commands.filter((command) => command !== 'help')) expect(page).toContain(name);
    const options = (await Promise.all([[], ...commands.map((name) => [name])].map((args) => help(...args)))).join(
      '\n',
    );
    const steps = STEPS.map((step) => help(...step.split(' ')));
    const all = [options, ...(await Promise.all(steps))].join('\n');
    const named = [...page.matchAll(/(?<![\w-])(--[a-z][a-z-]+)/g)].map(([, option = '']) => option);
    const foreign = ['--agent', '--role', '--help', '--exit-code'];
    expect(named.filter((option) => !foreign.includes(option) && !all.includes(option))).toEqual([]);
  });

  it('docs/cli.md gives the order of the places of a token as the code has it', () => {
    const places = [
      '--token-file',
      'MAYFLY_TOKEN`',
      'MAYFLY_TOKEN_FILE`',
      '/var/run/secrets',
      'MAYFLY_ID_TOKEN',
      'GitHub',
    ];
    const list = page.slice(page.indexOf('1. `--token-file`'));
    const at = places.map((place) => list.indexOf(place));
    expect(at).toEqual(at.toSorted((left, right) => left - right));
  });
});
