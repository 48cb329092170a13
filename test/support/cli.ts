import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { resolve } from 'node:path';

const MAIN = resolve('dist/apps/cli/apps/cli/src/main.js');
let built = false;

/** Exit and output of a command line. */
export interface Left {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line in its own process. */
export interface CliProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly left: Promise<Left>;
  /** standard output so far */
  output(): string;
}

/** Starts the compiled command line. It inherits only PATH and HOME. */
export function startCli(environment: Readonly<Record<string, string>>, ...args: readonly string[]): CliProcess {
  buildOnce();
  return follow(spawn(process.execPath, [MAIN, ...args], { env: inherited(environment) }));
}

/** Runs the command line to its end, with empty standard input. */
export function runCli(environment: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Left> {
  const { child, left } = startCli(environment, ...args);
  child.stdin.end();
  return left;
}

/** Starts the command line at a terminal of script(1). A write to its standard input is typed at the terminal. */
export function startAtTerminal(environment: Readonly<Record<string, string>>, ...args: readonly string[]): CliProcess {
  buildOnce();
  const words = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  const script = ['-qefc', `exec ${words.join(' ')}`, '/dev/null'];
  return follow(spawn('script', script, { env: { ...inherited(environment), SHELL: '/bin/sh', TERM: 'dumb' } }));
}

export const HAS_SCRIPT = spawnSync('script', ['--version']).error === undefined;

function follow(child: ChildProcessWithoutNullStreams): CliProcess {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (part: Buffer) => stdout.push(part));
  child.stderr.on('data', (part: Buffer) => stderr.push(part));
  const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString('utf8').replaceAll('\r\n', '\n');
  const left = new Promise<Left>((done) =>
    child.once('close', (code, signal) => {
      done({ code, signal, stdout: text(stdout), stderr: text(stderr) });
    }),
  );
  return { child, left, output: () => text(stdout) };
}

function inherited(environment: Readonly<Record<string, string>>): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME, ...environment };
}

function buildOnce(): void {
  if (built) return;
  const { status, stderr } = spawnSync(process.execPath, ['tools/build.mjs'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  built = true;
}
