#!/usr/bin/env node
// Bundles the compiled broker and its packages: `dist/broker/start.mjs`, with one file more for each part that loads when
// first used. Node then reads a few files in place of 3,000. The licences of the packages stay in `*.LEGAL.txt`.
import { Buffer } from 'node:buffer';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const COMPILED = 'dist/apps/broker/apps/broker/src';
const BUNDLE = 'dist/broker';

/** Packages that Nest and pg load when they are installed. Mayfly does not install them, or does not use them there. */
const OPTIONAL = [
  '@fastify/multipart',
  '@fastify/static',
  '@fastify/view',
  '@nestjs/microservices',
  '@nestjs/platform-express',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
  'pg-native',
];

/**
 * Packages that are imported when they are first used. They stay outside: a bundled CommonJS package has no named exports
 * for such an import.
 */
const LOADED_LATER = ['bullmq', 'node-vault', '@aws-sdk'];

/** CommonJS packages call `require`, which a module has to make for itself. */
const REQUIRE = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);`;

/**
 * Maps a whole file to its first line, so that the maps of the bundle describe our own code. Node reads the maps at the
 * start; full maps of the packages cost 200 ms and 70 MiB.
 */
const FIRST_LINE = `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from('{"version":3,"sources":[""],"mappings":"AAAA"}').toString('base64')}`;

/**
 * TypeScript compiles a decorated class to `let X = class X`. The bundle would rename the inner one, whose name is the name of
 * the class, for instance in the OpenAPI document. esbuild's `keepNames` would cost a call for each function that a request makes.
 */
const namesOfClasses = {
  name: 'names-of-classes',
  setup: ({ onLoad }) => {
    onLoad({ filter: /[/\\]dist[/\\]apps[/\\].*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(/^let (\w+) = (\w+ = )?class \1 /gm, 'let $1 = $2class '),
      loader: 'js',
    }));
  },
};

const shortMapsOfPackages = {
  name: 'short-maps-of-packages',
  setup: ({ onLoad }) => {
    onLoad({ filter: /[/\\]node_modules[/\\].*\.[cm]?js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(/^\/\/# sourceMappingURL=.*/gm, '') + FIRST_LINE,
      loader: 'js',
    }));
  },
};

const { metafile } = await build({
  entryPoints: { start: join(COMPILED, 'start.js'), warm: join(COMPILED, 'warm.js') },
  ...{ outdir: BUNDLE, outExtension: { '.js': '.mjs' }, banner: { js: REQUIRE } },
  ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20' },
  ...{ sourcemap: 'linked', sourcesContent: false, legalComments: 'linked', metafile: true, logLevel: 'warning' },
  ...{
    external: [...OPTIONAL, ...LOADED_LATER].flatMap((name) => [name, `${name}/*`]),
    plugins: [namesOfClasses, shortMapsOfPackages],
  },
});

// Of an earlier bundle. Its compiled code goes with it.
const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync(BUNDLE)) {
  if (!written.has(name) || extname(name) === '') rmSync(join(BUNDLE, name), { recursive: true });
}
