#!/usr/bin/env node
// Proves on an embedded PostgreSQL that prisma/migrations produce the schema of prisma/schema.prisma. Also proves that
// the check can fail: with one extra column in the schema it must report drift.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import './run-typescript.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { startEmbeddedPostgres } = await import('../libs/embedded/src/embedded-postgres.ts');

const SAME = 0;
const DIFFERENT = 2;

const scratch = mkdtempSync(join(tmpdir(), 'mayfly-drift-'));
chmodSync(scratch, 0o711);
const postgres = await startEmbeddedPostgres({ dataDir: join(scratch, 'data') });
try {
  expectStatus(SAME, 'prisma/schema.prisma', 'the migrations and prisma/schema.prisma differ: add a migration');
  expectStatus(DIFFERENT, schemaWithOneMoreColumn(), 'the drift check does not see drift');
} finally {
  await postgres.stop();
  rmSync(scratch, { recursive: true });
}

function expectStatus(expected, schema, message) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      'node_modules/prisma/build/index.js',
      'migrate',
      'diff',
      '--from-migrations',
      'prisma/migrations',
      '--to-schema',
      schema,
      '--exit-code',
    ],
    {
      encoding: 'utf8',
      env: {
        ...process.env,
        DATABASE_URL: postgres.url('postgres', 'postgres'),
        PRISMA_SCHEMA_ENGINE_BINARY: resolve('tools/schema-engine.mjs'),
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
      },
    },
  );
  if (status === expected) return;
  console.error(`drift: ${message} (status ${status})\n${stdout}${stderr}`);
  process.exitCode = 1;
}

function schemaWithOneMoreColumn() {
  const path = join(scratch, 'schema.prisma');
  const schema = readFileSync('prisma/schema.prisma', 'utf8');
  writeFileSync(path, schema.replace(/^(model \w+ \{)$/m, '$1\n  onlyInThisCopy Int?'));
  return path;
}
