#!/usr/bin/env node
// Replaces Prisma's native schema engine, which the Prisma CLI would download from Prisma's own host. It runs the same
// engine as WebAssembly over node-postgres, with the same JSON-RPC on stdin and stdout. The Prisma CLI starts it when
// PRISMA_SCHEMA_ENGINE_BINARY names it. A panic becomes an error, never an empty answer, which `migrate diff` would
// read as "no difference".
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import * as wasm from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { parse } from 'pg-connection-string';

const { values: options, positionals } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: {
    datamodels: { type: 'string', short: 'd', multiple: true, default: [] },
    datasource: { type: 'string' },
    'enabled-preview-features': { type: 'string' },
    'extension-types': { type: 'string' },
    version: { type: 'boolean', short: 'V' },
  },
});
/** The exit status that tells the Prisma CLI of a panic. */
const PANICKED = 101;
let panic;

const { WebAssembly } = globalThis;
const url = options.datasource ? JSON.parse(options.datasource).url : process.env.DATABASE_URL;

if (options.version) console.log('schema-engine-cli wasm');
else if (positionals[0] === 'cli') process.exitCode = await runCommand(positionals[1]);
else await serve();

/** Runs `cli can-connect-to-database`, `create-database` or `drop-database`. */
async function runCommand(command) {
  try {
    const database = pg.escapeIdentifier(parse(url).database);
    if (command === 'create-database') await execute('postgres', `CREATE DATABASE ${database}`);
    else if (command === 'drop-database') await execute('postgres', `DROP DATABASE IF EXISTS ${database}`);
    else await execute(parse(url).database, 'SELECT 1');
    return 0;
  } catch (error) {
    log(error.message, { is_panic: false, error_code: error.code === '3D000' ? 'P1003' : 'P1001' });
    return 1;
  }
}

async function execute(database, statement) {
  const client = new pg.Client({ ...parse(url), database });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

/** Answers requests, one per line, until stdin ends. */
async function serve() {
  let engine;
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method, params } = line.trim() === '' ? {} : JSON.parse(line);
    if (!method) continue;
    try {
      engine ??= await startEngine();
      const result = (await engine[method === 'getDatabaseVersion' ? 'version' : method](params ?? {})) ?? null;
      if (method === 'diff' && result?.stdout != null)
        send({ id: 1e6 + id, method: 'print', params: { content: result.stdout } });
      send({ id, result });
    } catch (error) {
      if (panic !== undefined) process.exit(PANICKED);
      send({
        id,
        error: { code: 4466, message: 'An error happened. Check the data field for details.', data: describe(error) },
      });
    }
  }
  process.exit(0);
}

function describe(error) {
  const { message = String(error), meta = null, code = null } = error ?? {};
  return { is_panic: false, message, meta, error_code: code };
}

async function startEngine() {
  globalThis.PRISMA_WASM_PANIC_REGISTRY = {
    set_message(message) {
      panic = message;
      log(message, { is_panic: true });
    },
  };
  const glue = import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const module = new WebAssembly.Module(readFileSync(fileURLToPath(glue.replace(/\.js$/, '.wasm'))));
  const instance = new WebAssembly.Instance(module, { './schema_engine_bg.js': wasm });
  wasm.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  const datamodels = options.datamodels.map((path) => [path, readFileSync(path, 'utf8')]);
  const blank = ['schema.prisma', 'datasource db {\n  provider = "postgresql"\n}\n'];
  const input = { datamodels: datamodels.length > 0 ? datamodels : [blank] };
  return wasm.SchemaEngine.new(input, () => {}, bindMigrationAwareSqlAdapterFactory(adapterFactory()));
}

function adapterFactory() {
  const main = parse(url ?? 'postgresql://127.0.0.1:1/none');
  return {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => connect(main),
    // The adapter's own method stays on the main database, and drops the shadow database while connected to it.
    async connectToShadowDb() {
      const database = `prisma_migrate_shadow_db_${crypto.randomUUID()}`;
      await execute('postgres', `CREATE DATABASE "${database}"`);
      const shadow = await connect({ ...main, database });
      const disconnect = shadow.dispose.bind(shadow);
      shadow.dispose = async () => {
        await disconnect();
        await execute('postgres', `DROP DATABASE "${database}"`);
      };
      return shadow;
    },
  };
}

async function connect(config) {
  return mend(await new PrismaPg({ ...config, max: 1 }).connect());
}

/**
 * Works around two defects of the adapter that are harmless in the service and fatal here: it refuses the catalogue's
 * type "char" (oid 18), and it splits scripts at every semicolon, even inside function bodies. Both overridden methods
 * may share `chars`, because the engine sends one request at a time.
 */
function mend(queryable) {
  const CHAR = 18;
  const VARCHAR = 1043;
  const [performIO, queryRaw] = [queryable.performIO.bind(queryable), queryable.queryRaw.bind(queryable)];
  let chars = [];
  queryable.performIO = async (query) => {
    const answer = await performIO(query);
    chars = (answer.fields ?? []).flatMap(({ dataTypeID }, column) => (dataTypeID === CHAR ? [column] : []));
    for (const column of chars) answer.fields[column].dataTypeID = VARCHAR;
    return answer;
  };
  queryable.queryRaw = async (query) => {
    const rows = await queryRaw(query);
    for (const column of chars) rows.columnTypes[column] = ColumnTypeEnum.Character;
    return rows;
  };
  queryable.executeScript = (script) =>
    queryable.client.query(script).then(
      () => undefined,
      (error) => queryable.onError(error),
    );
  const startTransaction = queryable.startTransaction?.bind(queryable);
  if (startTransaction) queryable.startTransaction = async (level) => mend(await startTransaction(level));
  return queryable;
}

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

/** Prints a log line in the format of the Prisma CLI. */
function log(message, fields) {
  const line = {
    timestamp: new Date().toISOString(),
    level: 'ERROR',
    target: 'schema_engine::logger',
    fields: { message, ...fields },
  };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}
