import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openEmbeddedScene, type BrokerProcess, type Scene } from '../support/broker-process.js';

const readme = readFileSync('README.md', 'utf8');
const run = promisify(execFile);

/** The fenced blocks of a page, of one language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, text = '']) => text);
}

/** Masks the parts of a text that differ from run to run: ids, times and durations. */
function masked(text: string): string {
  return text
    .replace(/(tsk|lse)_[0-9a-z]{26}/g, '$1_…')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\b\d+ ms\b/g, 'N ms')
    .trim();
}

describe('the README', () => {
  let scene: Scene;
  let broker: BrokerProcess;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    scene = openEmbeddedScene();
    broker = await scene.start();
    const { port } = new URL(broker.url);
    environment = { ...process.env, MAYFLY_DATA_DIR: join(scene.directory, 'data'), PORT: port, NODE_OPTIONS: '' };
  });

  afterAll(async () => {
    await scene.close();
  });

  it('the README has a first request that works when it is pasted', async () => {
    const request = blocks('sh')
      .find((block) => block.includes('curl'))
      ?.replaceAll('http://127.0.0.1:8420', broker.url);
    const { stdout } = await run('bash', ['-c', request ?? 'false'], { env: environment });
    expect(JSON.parse(stdout)).toMatchObject({ state: 'active', credentials: [{ name: 'db' }, { name: 'api' }] });
  });

  it('the service that the README starts describes its routes as `openapi.json` does', async () => {
    const document = await (await fetch(`${broker.url}/openapi.json`)).json();
    const { info, paths, components } = JSON.parse(readFileSync('openapi.json', 'utf8')) as Record<string, unknown>;
    expect(document).toMatchObject({ info, paths, components });
  });

  it('the service prints a request at its start that works in a terminal where no variable is set', async () => {
    const printed = /^ {2}curl[^]*?\n\n/m.exec(broker.output())?.[0] ?? 'false';
    const { PATH, HOME } = process.env;
    const { stdout } = await run('bash', ['-c', printed], { env: { PATH, HOME } });
    expect(JSON.parse(stdout)).toMatchObject({ state: 'active' });
  });

  it('`npm run token` makes no second issuer in another data directory, and says which variable to set', async () => {
    const elsewhere = { ...environment, MAYFLY_DATA_DIR: join(scene.directory, 'elsewhere') };
    const asking = run('npm', ['run', '-s', 'token', '--', '--agent', 'support-agent'], { env: elsewhere });
    await expect(asking).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^there is.*MAYFLY_DATA_DIR/),
    });
    expect(existsSync(elsewhere.MAYFLY_DATA_DIR)).toBe(false);
  });

  it('the first request of the README is the one that the service prints when it starts', () => {
    const request = blocks('sh').find((block) => block.includes('curl')) ?? 'missing';
    const printed = broker
      .output()
      .replaceAll(broker.url, 'http://127.0.0.1:8420')
      .replace(/MAYFLY_DATA_DIR=\S+ /, '');
    expect(printed.replace(/^ {2}/gm, '')).toContain(request.trim());
  });

  const withPsql = existsSync('/usr/bin/psql') ? it : it.skip;
  withPsql('the README has a command line that works when it is pasted', async () => {
    const command = blocks('sh').find((block) => block.includes('mayfly exec')) ?? 'false';
    const { stdout } = await run('bash', ['-c', command], { env: { ...environment, MAYFLY_URL: broker.url } });
    expect(stdout).toMatch(/count/);
  });

  it('the README shows the output of the demo, and every claim in it holds', async () => {
    const { stdout } = await run('npm', ['run', '-s', 'demo'], { env: environment });
    expect(masked(stdout)).toBe(masked(blocks('text')[0] ?? ''));
    expect(stdout).toContain('Every check passed.');
  });

  it('`npm run demo:chain` proves each claim that it prints, also the second time', async () => {
    for (let round = 0; round < 2; round += 1) {
      const { stdout } = await run('npm', ['run', '-s', 'demo:chain'], { env: environment });
      expect(stdout).toContain('Every check passed.');
    }
  });

  it('a service started with `npm start` stops when npm gets SIGTERM, and both leave with status 0', async () => {
    const directory = join(scene.directory, 'another');
    const started = spawn('npm', ['start'], { env: { ...environment, MAYFLY_DATA_DIR: directory, PORT: '0' } });
    const left = new Promise((resolve) => started.once('exit', resolve));
    let output = '';
    await new Promise<void>((resolve) => {
      started.stdout.on('data', (part: Buffer) => {
        output += part.toString();
        if (output.includes('mayfly: ready')) resolve();
      });
    });
    started.kill('SIGTERM');
    expect(await left).toBe(0);
    const url = /ready on (\S+)/.exec(output)?.[1] ?? '';
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('the first block of the README has the two commands that start the service', () => {
    expect(blocks('sh')[0]).toBe('npm ci\nnpm start\n');
  });
});

describe('every page of the documentation', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    ...readdirSync('docs', { recursive: true }).map((name) => join('docs', String(name))),
  ];

  it.each(pages.filter((page) => page.endsWith('.md')))('the page %s links to files that exist', (page) => {
    const text = readFileSync(page, 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = '']) => join(dirname(page), link));
    expect(links.filter((link) => !existsSync(link))).toEqual([]);
  });

  it.each(['README.md', 'CONTRIBUTING.md', 'docs/issuance.md'])(
    'the page %s names files and folders that exist',
    (page) => {
      const text = readFileSync(page, 'utf8');
      const named = [...text.matchAll(/`((?:apps|libs|test|docs|tools|config|prisma)\/[^`*<\s]+)`/g)].map(
        ([, path = '']) => path,
      );
      expect(named.filter((path) => !existsSync(path))).toEqual([]);
    },
  );

  it.each(['README.md', 'CONTRIBUTING.md'])('the page %s names npm scripts that exist', (page) => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const named = [...readFileSync(page, 'utf8').matchAll(/npm run (?:-s )?([a-z:]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
