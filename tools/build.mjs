#!/usr/bin/env node
// Compiles the broker and the command line and bundles the broker, each only when it is out of date. Prints nothing when
// all are up to date (under 100 ms), otherwise one line per step. On failure it prints the compiler's output and exits with status 1.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const MAIN = 'dist/apps/broker/apps/broker/src/main.js';
const BUNDLE = 'dist/broker/start.mjs';
const CLI = 'dist/apps/cli/apps/cli/src/main.js';
const LOCK = 'dist/.build-lock';
const COMPILER = 'node_modules/@nestjs/cli/bin/nest.js';

const BROKER = ['apps/broker', 'libs', 'prisma', 'package-lock.json', 'nest-cli.json', 'tsconfig.json'];

const steps = [
  {
    says: 'compiling the broker',
    stamp: 'dist/.compiled',
    output: MAIN,
    inputs: BROKER,
    applies: () => existsSync('apps/broker/src/main.ts'),
    command: [COMPILER, 'build', 'broker'],
  },
  {
    says: 'bundling the broker',
    stamp: 'dist/.bundled',
    output: BUNDLE,
    inputs: [...BROKER, 'tools/bundle.mjs'],
    applies: () => existsSync('apps/broker/src/start.ts'),
    command: ['tools/bundle.mjs'],
  },
  {
    says: 'compiling the command line',
    stamp: 'dist/.compiled-cli',
    output: CLI,
    inputs: ['apps/cli', 'packages', 'libs', 'package-lock.json', 'nest-cli.json', 'tsconfig.json'],
    applies: () => existsSync('apps/cli/src/main.ts'),
    command: [COMPILER, 'build', 'cli'],
    // `npx mayfly` executes this file directly.
    finish: () => chmodSync(CLI, 0o755),
  },
];

if (steps.some(isStale)) {
  if (existsSync(COMPILER)) await underLock(buildWhatIsStale);
  // The image has a build and no compiler. `npm ci --omit=dev` runs this script before the build is copied.
  else if (!existsSync(BUNDLE) && process.env.npm_lifecycle_event !== 'prepare') {
    fail('there is no build and no compiler: run `npm ci`');
  }
}

function buildWhatIsStale() {
  for (const step of steps) if (isStale(step)) run(step);
}

function isStale(step) {
  if (!step.applies()) return false;
  return !existsSync(step.output) || !existsSync(step.stamp) || readFileSync(step.stamp, 'utf8') !== fingerprint(step);
}

/** Returns a hash that changes when an input is added, removed or written. Specs are not compiled. */
function fingerprint({ inputs }) {
  const hash = createHash('sha256');
  for (const path of inputs.flatMap(filesIn)) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return filesIn(join(path, entry.name));
    return entry.name.endsWith('.spec.ts') ? [] : [join(path, entry.name)];
  });
}

function run(step) {
  console.log(`${step.says} …`);
  // Taken before the step, so that a file that changes meanwhile makes the output stale.
  const before = fingerprint(step);
  const { status, stdout, stderr, error } = spawnSync(process.execPath, step.command, {
    encoding: 'utf8',
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: resolve('tools/schema-engine.mjs'),
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    },
  });
  if (status !== 0) fail(`${step.says} failed\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
  step.finish?.();
  writeFileSync(step.stamp, before);
}

/** Runs one build at a time. A process that waited finds nothing stale. */
async function underLock(work) {
  mkdirSync('dist', { recursive: true });
  while (!takeLock()) await sleep(100);
  process.once('exit', () => rmSync(LOCK, { force: true }));
  work();
}

/** Takes the lock, which names its holder. Removes the lock of a killed holder. */
function takeLock() {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (!isHeld()) rmSync(LOCK, { force: true });
  return false;
}

function isHeld() {
  try {
    const holder = Number(readFileSync(LOCK, 'utf8') || process.ppid);
    process.kill(holder, 0);
    return holder !== process.pid;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}
