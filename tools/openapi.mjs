#!/usr/bin/env node
// Generates openapi.json and the generated half of packages/client from the broker's routes. With `--check` it writes
// nothing, and exits with status 1 when a file does not match the routes.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';
import { answerShapes } from './answer-shapes.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const DESCRIBE = 'dist/apps/broker/apps/broker/src/describe.js';
const GENERATED = '// Made by `npm run openapi` from the routes of the broker; a change by hand is lost.\n';

const described = describe();
const document = JSON.parse(described);
// The schema of any JSON value refers to itself, which a TypeScript interface member cannot do.
const transform = (_schema, { path }) =>
  path === '#/components/schemas/Json' ? ts.factory.createKeywordTypeNode(ts.SyntaxKind.UnknownKeyword) : undefined;
const types = astToString(await openapiTS(JSON.parse(described), { defaultNonNullable: false, transform }));
const files = new Map([
  ['openapi.json', JSON.stringify(document)],
  ['packages/client/src/schema.ts', GENERATED + types],
  ['packages/client/src/answer-shapes.ts', GENERATED + answerShapes(document)],
]);
const stale = [];
for (const [path, text] of files) {
  const formatted = await format(text, { ...(await resolveConfig(path)), filepath: path });
  if (existsSync(path) && readFileSync(path, 'utf8') === formatted) continue;
  stale.push(path);
  if (!process.argv.includes('--check')) writeFileSync(path, formatted);
}
if (process.argv.includes('--check') && stale.length > 0) {
  fail(`${stale.join(', ')} differ from the routes of the broker: run \`npm run openapi\` and commit the result`);
}

/** Returns the OpenAPI document of the compiled broker; it needs no database. */
function describe() {
  const { status, stdout, stderr } = spawnSync(process.execPath, [DESCRIBE], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) fail(`the broker does not describe itself\n${stderr}`);
  return stdout;
}

function fail(message) {
  console.error(`openapi: ${message}`);
  process.exit(1);
}
